// Messages of netlink(7), put together byte by byte: what a kernel would answer, and what none would.
#pragma once
#include <linux/netlink.h>

#include <cstring>
#include <string_view>
#include <vector>

#include "runtime/host/state/netlink.hpp"

namespace tests {

class Message {
  public:
    // A header or a part of one, as it lies in memory.
    template <class Value>
    Message& add(const Value& value) {
        const auto* const at = reinterpret_cast<const unsigned char*>(&value);
        bytes_.insert(bytes_.end(), at, at + sizeof value);
        return *this;
    }
    Message& attribute(unsigned type, std::string_view value) {
        align();
        add(nlattr{static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), static_cast<std::uint16_t>(type)});
        bytes_.insert(bytes_.end(), value.begin(), value.end());
        return *this;
    }
    template <class Number>
    Message& attribute(unsigned type, const Number& number) {
        return attribute(type, std::string_view(reinterpret_cast<const char*>(&number), sizeof number));
    }
    Message& attribute(unsigned type, const Message& inner) {
        return attribute(type,
                         std::string_view(reinterpret_cast<const char*>(inner.bytes_.data()), inner.bytes_.size()));
    }
    [[nodiscard]] runtime::host::Bytes bytes() const { return bytes_; }

  private:
    void align() { bytes_.resize((bytes_.size() + 3) / 4 * 4); }
    std::vector<unsigned char> bytes_;
};

}  // namespace tests
