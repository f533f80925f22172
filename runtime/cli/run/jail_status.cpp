#include "runtime/cli/run/jail_status.hpp"

#include <sched.h>
#include <sys/stat.h>

#include <string>
#include <utility>
#include <vector>

#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::cli {

using sandbox::os::format;
using sandbox::os::join;

namespace {

// The members by hand: their order and their white space are what readers with sed and grep know.
std::vector<std::string> members(pid_t pid, std::uint64_t namespaces) {
    std::vector<std::string> all = {format("\"child-pid\": {}", pid)};
    const std::pair<const char*, std::uint64_t> kinds[] = {{"cgroup", CLONE_NEWCGROUP}, {"ipc", CLONE_NEWIPC},
                                                           {"mnt", CLONE_NEWNS},        {"net", CLONE_NEWNET},
                                                           {"pid", CLONE_NEWPID},       {"uts", CLONE_NEWUTS}};
    for (const auto& [name, flag] : kinds) {
        struct stat status = {};
        const bool is_known = ::stat(format("/proc/{}/ns/{}", pid, name).c_str(), &status) == 0;
        if ((namespaces & flag) == 0 || !is_known) continue;
        all.push_back(format("\"{}-namespace\": {}", name, status.st_ino));
    }
    return all;
}

}  // namespace

void write_jail_info(int fd, pid_t pid, std::uint64_t namespaces) {
    sandbox::os::write_all(fd, format("{{\n    {}\n}}\n", join(members(pid, namespaces), ",\n    ")), "to info_fd");
}

void write_jail_status(int fd, pid_t pid, std::uint64_t namespaces) {
    sandbox::os::write_all(fd, format("{{ {} }}\n", join(members(pid, namespaces), ", ")), "to json_status_fd");
}

void write_exit_status(int fd, int code) {
    sandbox::os::write_all(fd, format("{{ \"exit-code\": {} }}\n", code), "to json_status_fd");
}

}  // namespace runtime::cli
