// The control group of one jail (cgroups(7), version 2; the kernel's Documentation/admin-guide/cgroup-v2.rst names each
// file): its limits, what it has used, and the end of all that is in it. Knows nothing of where it is found, which is
// cgroup/tree.hpp's.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "sandbox/os/fd.hpp"
#include "sandbox/spec/spec.hpp"

namespace sandbox {

// What the kernel has counted. Empty is what this kernel, or the controllers that are there, do not count.
struct CgroupUsage {
    std::optional<double> cpu_seconds = {};           // user and system
    std::optional<double> throttled_seconds = {};     // for which it was held back by its limit of CPU
    std::optional<std::uint64_t> peak_bytes = {};     // the most at one time, page cache included (Linux 5.19)
    std::optional<std::uint64_t> read_bytes = {};     // from disks
    std::optional<std::uint64_t> written_bytes = {};  // to disks
    std::optional<std::uint64_t> processes = {};      // and threads, the most at one time; init is one (Linux 6.1)
    std::uint64_t oom_kills = 0;                      // processes that were killed for want of memory
    std::uint64_t refused_forks = 0;                  // for the limit of pids
};

// A directory below a tree's. The destructor kills what is in it and removes it.
class Cgroup {
  public:
    // How a process comes in that cannot be born here.
    using Enter = std::function<void(const Cgroup& cgroup, pid_t process)>;

    Cgroup() = default;
    // Whether a process of ours can be born in it (CLONE_INTO_CGROUP), or has to be moved.
    enum class Birth : std::uint8_t { possible, refused };
    // Makes the directory. Throws SysError.
    Cgroup(int parent, std::string name, Birth birth, Enter enter);
    Cgroup(Cgroup&& other) noexcept;
    Cgroup& operator=(Cgroup&& other) noexcept;
    Cgroup(const Cgroup&) = delete;
    Cgroup& operator=(const Cgroup&) = delete;
    ~Cgroup() { remove(); }

    explicit operator bool() const noexcept { return static_cast<bool>(directory_); }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] Birth birth() const noexcept { return birth_; }
    [[nodiscard]] int directory() const noexcept { return directory_.get(); }
    // Those that need a cgroup; the controllers must be there. A jail at its limit of memory ends as a whole, and gets
    // nothing more by swapping. Throws SysError.
    void limit(const Limits& limits) const;
    // Moves a process in, by the tree's way. Throws SysError or BusError.
    void take(pid_t process) const { enter_(*this, process); }
    // Kills each process in it (cgroup.kill, Linux 5.14).
    void kill() const noexcept;
    [[nodiscard]] CgroupUsage usage() const;

  private:
    void remove() noexcept;

    int parent_ = -1;  // borrowed from the tree
    std::string name_;
    Birth birth_ = Birth::refused;
    os::Fd directory_;
    Enter enter_;
};

// A file of a cgroup. The first throws SysError; the second answers nothing where there is none, or it cannot be read.
void write_cgroup_file(int directory, const std::string& name, const std::string& text);
std::optional<std::string> read_cgroup_file(int directory, const std::string& name);
// The number behind a word: "populated" of "populated 0\nfrozen 0\n".
std::optional<std::uint64_t> find_count(const std::string& text, const std::string& word);
// The sum of a word's numbers, one for each device: "rbytes" of io.stat.
std::uint64_t sum_counts(const std::string& text, const std::string& word);
// Waits until no process is in it; false where there still is one after two seconds.
bool wait_until_empty(int directory) noexcept;

}  // namespace sandbox
