#include "sandbox/cgroup/place.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace sandbox {
namespace {

std::optional<pid_t> parse_pid(std::string_view text) {
    pid_t pid = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    if (error != std::errc{} || stop != text.data() + text.size() || pid <= 0) return std::nullopt;
    return pid;
}

}  // namespace

std::string unified_cgroup(std::string_view text) {
    for (const std::string_view line : os::lines(text)) {
        if (line.starts_with("0::")) return std::string(line.substr(3));
    }
    return {};
}

std::string cgroup_of(const os::HostFiles& host, pid_t process) {
    const auto text = os::read_file_if_exists(host.proc(), os::format("{}/cgroup", process));
    return text ? unified_cgroup(*text) : std::string();
}

pid_t parent_of(const os::HostFiles& host, pid_t process) {
    const auto text = os::read_file_if_exists(host.proc(), os::format("{}/stat", process));
    if (!text) return 0;
    // "12 (a name) S 11 ...": the name may hold blanks and brackets.
    const std::size_t name_end = text->rfind(") ");
    if (name_end == std::string::npos || name_end + 4 > text->size()) return 0;
    const std::string_view rest = std::string_view(*text).substr(name_end + 4);
    return parse_pid(rest.substr(0, rest.find(' '))).value_or(0);
}

std::string find_cgroup_mount(const std::function<long(const char* path)>& type_of) {
    for (const char* path : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
        if (type_of(path) == CGROUP2_SUPER_MAGIC) return path;
    }
    return {};
}

bool is_under_systemd(const os::HostFiles& host) {
    return ::faccessat(host.root(), "run/systemd/system", F_OK, 0) == 0;
}

bool has_word(std::string_view words, std::string_view word) {
    while (!words.empty()) {
        words.remove_prefix(std::min(words.find_first_not_of(" \t\n"), words.size()));
        const std::string_view one = words.substr(0, words.find_first_of(" \t\n"));
        if (!one.empty() && one == word) return true;
        words.remove_prefix(one.size());
    }
    return false;
}

std::optional<pid_t> owner_of_branch(std::string_view name) {
    constexpr std::string_view start = "stagebox-";
    if (!name.starts_with(start)) return std::nullopt;
    return parse_pid(name.substr(start.size()));
}

}  // namespace sandbox
