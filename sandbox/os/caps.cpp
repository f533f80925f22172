#include "sandbox/os/caps.hpp"

#include <sys/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"

namespace sandbox {
namespace {

constexpr std::string_view prefix = "cap_";

std::string lower_case(std::string_view text) {
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return lower;
}

// libcap's own spelling, "cap_chown", or the number where it has none.
std::string libcap_name(int number) {
    struct Free {
        void operator()(char* text) const noexcept { cap_free(text); }
    };
    const std::unique_ptr<char, Free> text(cap_to_name(static_cast<cap_value_t>(number)));
    if (text == nullptr || !std::string_view(text.get()).starts_with(prefix)) {
        return os::format("{}{}", prefix, number);
    }
    return text.get();
}

}  // namespace

std::optional<int> capability_number(std::string_view name) {
    std::string wanted = lower_case(name);
    if (!wanted.starts_with(prefix)) wanted.insert(0, prefix);
    // libcap also reads numbers ("cap_7"), and stops at a comma or a space.
    if (wanted.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") != std::string::npos) return std::nullopt;
    cap_value_t number = 0;
    if (cap_from_name(wanted.c_str(), &number) != 0) return std::nullopt;
    return static_cast<int>(number);
}

std::string capability_name(int number) {
    std::string name = libcap_name(number);
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    return name;
}

int last_capability() {
    return static_cast<int>(cap_max_bits()) - 1;
}

std::uint64_t known_capabilities() {
    const int last = last_capability();
    return last >= 63 ? ~std::uint64_t{0} : capability_bit(last + 1) - 1;
}

std::uint64_t own_capabilities() {
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {};
    os::sys([&] { return ::syscall(SYS_capget, &header, data); }, "ask for the capabilities");
    return data[0].effective | std::uint64_t{data[1].effective} << 32U;
}

std::string describe_capabilities(std::uint64_t mask) {
    const std::uint64_t all = known_capabilities();
    if (mask == 0) return "none";
    if ((mask & all) == all) return "all";
    std::string text;
    for (int number = 0; number < 64; ++number) {
        if ((mask & capability_bit(number)) == 0) continue;
        if (!text.empty()) text += ", ";
        text += libcap_name(number).substr(prefix.size());
    }
    return text;
}

}  // namespace sandbox
