// Text formatting: the one place that includes {fmt}. Its small header is enough, for the formatting itself is compiled
// once, in format.cpp.
#pragma once
#include <fmt/core.h>

#include <string>

namespace sandbox::os {

// An object, because the arguments of a call bring in functions of their namespaces: where the standard library has a
// std::format, a call with a std::string would be ambiguous between that and a function of ours.
struct Format {
    template <typename... Args>
    std::string operator()(fmt::format_string<Args...> text, Args&&... args) const {
        return fmt::vformat(text, fmt::make_format_args(args...));
    }
};
inline constexpr Format format{};

}  // namespace sandbox::os
