// Another machine than the one that the tests run on: what procfs, sysfs, /etc and /run show there, in a directory.
#pragma once
#include <sys/types.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "sandbox/os/format.hpp"
#include "sandbox/os/host_files.hpp"
#include "tests/unit/temporary_directory.hpp"

namespace tests {

// A line of /proc/PID/stat, in words.
struct FakeProcess {
    pid_t pid = 1;
    pid_t parent = 0;
    std::string comm = "init";
    char state = 'S';
    pid_t session = 0;
    int terminal = 0;
    unsigned flags = 0x00400100;
    unsigned long long start = 100;
    std::string cgroup = "0::/\n";  // the file
};

class Machine {
  public:
    // "proc/modules". What was there is replaced.
    const Machine& file(const std::string& path, std::string_view text) const {
        directory_.write(path, text);
        return *this;
    }
    const Machine& link(const std::string& path, const std::string& target) const {
        const std::filesystem::path place = directory_.path() / path;
        std::filesystem::create_directories(place.parent_path());
        std::filesystem::remove(place);
        std::filesystem::create_symlink(target, place);
        return *this;
    }
    const Machine& folder(const std::string& path) const {
        std::filesystem::create_directories(directory_.path() / path);
        return *this;
    }
    const Machine& process(const FakeProcess& process) const {
        const std::string folder = sandbox::os::format("proc/{}/", process.pid);
        // proc_pid_stat(5): 9 is flags, 22 is starttime.
        file(folder + "stat",
             sandbox::os::format("{} ({}) {} {} {} {} {} -1 {} 10 11 12 13 14 15 16 17 20 0 1 0 {} 4096\n", process.pid,
                                 process.comm, process.state, process.parent, process.pid, process.session,
                                 process.terminal, process.flags, process.start));
        file(folder + "cgroup", process.cgroup);
        link(folder + "ns/user", "user:[4026531837]");
        link(folder + "ns/mnt", "mnt:[4026531841]");
        return *this;
    }

    [[nodiscard]] std::string root() const { return directory_.path().string(); }
    [[nodiscard]] sandbox::os::HostFiles files() const { return sandbox::os::HostFiles(root()); }

  private:
    TemporaryDirectory directory_;
};

}  // namespace tests
