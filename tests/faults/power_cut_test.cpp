// The power goes in the middle of a build: what was not synced is dropped. The store is on a file system of its own,
// which is shut down as if its machine had lost power (FS_IOC_SHUTDOWN without a flush of the log, as file systems' own
// tests do), mounted again, and gives back what it had on the disk.
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <stdexcept>

#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "tests/faults/disturbed_build.hpp"
#include "tests/support/catch.hpp"

#if defined(__x86_64__)
using namespace tests::faults;
using namespace tests::support;
using sandbox::os::Fd;
using sandbox::os::format;
namespace fs = std::filesystem;

namespace {

constexpr unsigned long shutdown_request = _IOR('X', 125, std::uint32_t);  // FS_IOC_SHUTDOWN, in no header of ours
constexpr std::uint32_t without_log_flush = 2;

// An ext4 in a file, mounted.
class Disk {
  public:
    explicit Disk(const std::string& directory) : image_(directory + "/disk.img"), place_(directory + "/disk") {
        fs::create_directories(place_);
        std::ofstream(image_).flush();
        fs::resize_file(image_, std::uintmax_t{96} << 20U);
        // Its commits come when somebody asks for them, and not by the clock.
        is_there_ = tool({"/usr/sbin/mkfs.ext4", "-q", "-F", image_}) && plug_in();
    }
    Disk(const Disk&) = delete;
    Disk& operator=(const Disk&) = delete;
    ~Disk() {
        if (is_there_) tool({"/bin/umount", place_});
    }
    [[nodiscard]] bool is_there() const { return is_there_; }
    [[nodiscard]] const std::string& place() const { return place_; }

    void cut_power() const {
        const Fd top = sandbox::os::open_directory(AT_FDCWD, place_);
        std::uint32_t how = without_log_flush;
        sandbox::os::sys([&] { return ::ioctl(top.get(), shutdown_request, &how); }, "cut the power of {}", place_);
    }
    // False where something still holds it, or it cannot be mounted again.
    [[nodiscard]] bool start_again() const { return tool({"/bin/umount", place_}) && plug_in(); }

  private:
    [[nodiscard]] bool plug_in() const { return tool({"/bin/mount", "-o", "loop,commit=300", image_, place_}); }
    static bool tool(std::vector<std::string> argv) { return run({.argv = std::move(argv)}).code == 0; }

    std::string image_;
    std::string place_;
    bool is_there_ = false;
};

// For a build, it is there before the workspace's store is used and goes after it.
struct Machine {
    Workspace around;
    Disk disk{around.path()};
};

bool is_possible(const Disk& disk) {
    if (disk.is_there()) return true;
    if (::geteuid() != 0) {
        SUCCEED("root's test: nobody else can mount a file system that has a disk");
    } else {
        unavailable("a file system in a file: mkfs.ext4, or a loop device");
    }
    return false;
}

// Calls around which what is on the disk changes, or is meant to.
bool changes_the_disk(const CallSite& site) {
    static const std::set<long> calls = {SYS_renameat, SYS_renameat2, SYS_mkdirat, SYS_fsync,
                                         SYS_syncfs,   SYS_unlinkat,  SYS_sendto,  SYS_fchmod};
    return calls.contains(site.number);
}

std::string cut_at(const DisturbedBuild& build, const Disk& disk, const CallSite& site) {
    build.reset();
    ::sync();  // what was before is on the disk
    const Traced traced =
        build.disturb({.site = site, .kind = FaultKind::kill_first, .before = [&] { disk.cut_power(); }});
    // Nothing more can be said of a disk without power. One that was not cut is free at once.
    if (!becomes_true([&] { return disk.start_again(); }, std::chrono::seconds(traced.is_met ? 5 : 0))) {
        throw std::runtime_error(format("the disk is still in use after {}", words_for(site)));
    }
    if (traced.is_met && !traced.is_all_gone) return "a process is left after a second";
    return build.wrong_afterwards(traced.result.err);
}

void cut_at_each(const std::vector<CallSite>& sites, const DisturbedBuild& build, const Disk& disk) {
    std::string wrong;
    for (const CallSite& site : sites) {
        const std::string fault = cut_at(build, disk, site);
        if (!fault.empty()) wrong += format("{}: {}\n", words_for(site), fault);
    }
    INFO(sites.size() << " cuts");
    INFO(wrong);
    CHECK(wrong.empty());
}

std::vector<CallSite> sites_of(const DisturbedBuild& build) {
    std::vector<CallSite> sites;
    for (const CallSite& site : own_calls(build.undisturbed())) {
        if (changes_the_disk(site)) sites.push_back(site);
    }
    return sites;
}

}  // namespace

TEST_CASE("the power cut of these tests drops what was not synced, and nothing else", "[faults][alone]") {
    const Machine machine;
    if (!is_possible(machine.disk)) return;
    {
        const Fd top = sandbox::os::open_directory(AT_FDCWD, machine.disk.place());
        const Fd kept = sandbox::os::create_file(top.get(), "kept", 0644);
        sandbox::os::write_all(kept.get(), "kept", "kept");
        sandbox::os::sys([&] { return ::syncfs(kept.get()); }, "sync");
        const Fd lost = sandbox::os::create_file(top.get(), "lost", 0644);
        sandbox::os::write_all(lost.get(), "lost", "lost");
    }
    machine.disk.cut_power();
    REQUIRE(machine.disk.start_again());
    CHECK(fs::file_size(machine.disk.place() + "/kept") == 4);
    CHECK_FALSE(fs::exists(machine.disk.place() + "/lost"));
}

TEST_CASE("after a power cut no record names what is not whole, and what was done is still there",
          "[faults][alone][failclosed]") {
    if (!can_trace()) {
        unavailable("tracing");
        return;
    }
    const Machine machine;
    if (!is_possible(machine.disk)) return;
    const DisturbedBuild build(machine.disk.place() + "/store");
    const auto sites = sites_of(build);
    CHECK(sites.size() > 20);
    cut_at_each(some_of(sites, 25), build, machine.disk);
}

TEST_CASE("the power is cut at any call that changes the disk", "[.][full]") {
    const Machine machine;
    if (!is_possible(machine.disk)) return;
    const DisturbedBuild build(machine.disk.place() + "/store");
    cut_at_each(sites_of(build), build, machine.disk);
}
#endif
