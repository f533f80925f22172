// A value that is of one of several kinds, as std::variant is, for programs that have no standard library. The kinds
// are plain memory, and so is the value: it may be copied byte by byte, into another process too.
#pragma once

namespace sandbox {

template <class... Kinds>
class OneOf {
  public:
    template <class Kind>
    OneOf(const Kind& value) noexcept  // NOLINT(google-explicit-constructor): a value of any kind is one
        : kind_(number_of<Kind>()) {
        static_assert(__is_trivially_copyable(Kind));
        __builtin_memcpy(bytes_, &value, sizeof value);
    }

    template <class Kind>
    [[nodiscard]] bool is() const noexcept {
        return kind_ == number_of<Kind>();
    }
    // The value, where is<Kind>() is true.
    template <class Kind>
    [[nodiscard]] Kind as() const noexcept {
        Kind value;
        __builtin_memcpy(&value, bytes_, sizeof value);
        return value;
    }
    // What `visitor` answers for the value; it takes every kind, which the compiler checks.
    template <class Visitor>
    decltype(auto) visit(Visitor&& visitor) const {
        return visit_from<Visitor, Kinds...>(visitor);
    }

  private:
    template <class Kind, class Other>
    struct Same {
        static constexpr bool value = false;
    };
    template <class Kind>
    struct Same<Kind, Kind> {
        static constexpr bool value = true;
    };
    template <class Kind>
    static constexpr unsigned char number_of() noexcept {
        static_assert((Same<Kind, Kinds>::value || ...), "none of the kinds");
        unsigned char number = 0;
        static_cast<void>(((Same<Kind, Kinds>::value || (++number, false)) || ...));
        return number;
    }
    static constexpr unsigned largest() noexcept {
        unsigned size = 1;
        static_cast<void>(((size = sizeof(Kinds) > size ? sizeof(Kinds) : size), ...));
        return size;
    }
    template <class Visitor, class Kind, class... Others>
    decltype(auto) visit_from(Visitor& visitor) const {
        if constexpr (sizeof...(Others) == 0) {
            return visitor(as<Kind>());
        } else {
            if (is<Kind>()) return visitor(as<Kind>());
            return visit_from<Visitor, Others...>(visitor);
        }
    }

    alignas(8) unsigned char bytes_[largest()] = {};
    unsigned char kind_;
};

}  // namespace sandbox
