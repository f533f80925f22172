// What a build needs of its machine is not to be had: space, quota, inodes, memory, descriptors, processes, a store
// that can be written or that overlayfs can use. The error is clear, its exit code the contract's, nothing is lost, and
// the same build goes on when what was missing is there.
//
// With STAGEBOX_FAULT_TABLE the rows are written to that file, as a table for people.
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <set>

#include "sandbox/os/format.hpp"
#include "tests/faults/disturbed_build.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::faults;
using namespace tests::support;
using sandbox::os::format;

namespace {

void write_row(const std::string& fault, const std::string& place, int code, const std::string& message,
               const std::string& survived) {
    const char* path = std::getenv("STAGEBOX_FAULT_TABLE");
    if (path == nullptr) return;
    std::ofstream(path, std::ios::app) << format("| {} | {} | {} | {} | {} |\n", fault, place, code, message, survived);
}

// The line that says what is wrong.
std::string message_of(const std::string& err) {
    for (const std::string_view start : {"error: ", "failed: "}) {
        const std::size_t at = err.find(start);
        if (at != std::string::npos) return err.substr(at, err.find('\n', at) - at);
    }
    return err.empty() ? "" : "(none)";
}

#if defined(__x86_64__)

struct Injected {
    const char* name;
    int error;
    std::set<long> calls;
    std::size_t most;  // sites, where not all are wanted
};

const std::vector<Injected>& injected() {
    static const std::set<long> writes = {SYS_openat,    SYS_write,    SYS_mkdirat,        SYS_renameat, SYS_renameat2,
                                          SYS_fsync,     SYS_syncfs,   SYS_symlinkat,      SYS_linkat,   SYS_fsetxattr,
                                          SYS_ftruncate, SYS_sendfile, SYS_copy_file_range};
    static const std::vector<Injected> all = {
        {"ENOSPC", ENOSPC, writes, 40},
        {"EDQUOT", EDQUOT, writes, 40},
        {"EIO", EIO, writes, 15},
        {"EMFILE",
         EMFILE,
         {SYS_pipe2, SYS_socketpair, SYS_epoll_create1, SYS_timerfd_create, SYS_signalfd4, SYS_pidfd_open, SYS_dup},
         15},
        {"EAGAIN", EAGAIN, {SYS_clone, SYS_clone3, SYS_fork, SYS_vfork}, 15},
        {"ENOMEM", ENOMEM, {SYS_clone, SYS_clone3, SYS_fork, SYS_vfork, SYS_mount, SYS_fsmount}, 15},
    };
    return all;
}

std::vector<CallSite> sites_for(const DisturbedBuild& build, const Injected& fault) {
    std::vector<CallSite> sites;
    for (const CallSite& site : own_calls(build.undisturbed())) {
        if (!fault.calls.contains(site.number)) continue;
        // Reading needs no space.
        if (site.number == SYS_openat && !build.undisturbed().creating.contains(site)) continue;
        // A jail's init has few descriptors open; without this one it ends, and its jail with it.
        if (site.number == SYS_signalfd4 && site.process > 1) continue;
        sites.push_back(site);
    }
    return sites;
}

std::string wrong_with(const Injected& fault, const Traced& traced) {
    const Result& result = traced.result;
    if (!traced.is_all_gone) return "a process is left after a second";
    if (result.code == 0) return {};  // it had another way, or only a note could not be made
    if (result.code != 1 && result.code != 3) return format("its exit code is {}: {}", result.code, result.err);
    const bool says_why = result.err.find(std::strerror(fault.error)) != std::string::npos ||
                          (fault.error == ENOMEM && result.err.find("not enough memory") != std::string::npos);
    return says_why ? "" : "it does not say why: " + result.err;
}

TEST_CASE("each write of a build fails for want of space, quota and the like", "[faults][alone][failclosed]") {
    if (!can_trace()) {
        unavailable("tracing");
        return;
    }
    const Injected& fault = GENERATE(from_range(injected()));
    const DisturbedBuild build;
    const auto sites = sites_for(build, fault);
    REQUIRE_FALSE(sites.empty());
    std::string wrong;
    for (const CallSite& site : some_of(sites, std::getenv("STAGEBOX_FAULT_TABLE") == nullptr ? fault.most : 1000)) {
        build.reset();
        const Traced traced = build.disturb({.site = site, .error = fault.error});
        std::string survived;
        for (const auto& [stage, made] : build.committed()) survived += (survived.empty() ? "" : ", ") + stage;
        std::string fails = wrong_with(fault, traced);
        if (fails.empty()) fails = build.wrong_afterwards(traced.result.err);
        if (!fails.empty()) wrong += format("{}: {}\n", words_for(site), fails);
        if (traced.is_met) {
            write_row(fault.name, words_for(site), traced.result.code, message_of(traced.result.err), survived);
        }
    }
    INFO(fault.name << ", " << sites.size() << " places");
    INFO(wrong);
    CHECK(wrong.empty());
}
#endif

// A store in a mount namespace of its own.
struct Shortage {
    std::string name;
    std::string arrange;  // makes $store less than a build needs
    std::string limit;    // the same for the build's process
    std::string mend;     // gives it what was missing
    int code;
    std::string message;  // part of what the build says
};

// One id serves in a user namespace too, where there is no range to be had.
constexpr std::string_view stages = R"toml(
[stage.base]
from = "host"
ids = "single"
in = { "/in/note" = "./note.txt" }
run = ["sh", "-c", """
mkdir -p /out/root/bin && cp -L /bin/sh /out/root/bin/ && cp /in/note /out/root
for library in $(ldd /bin/sh | grep -o '/lib[^ :]*'); do
    mkdir -p "/out/root$(dirname "$library")"
    cp -L "$library" "/out/root$library" || exit 1
done"""]
out = { root = "root" }
[stage.layer]
from = "base.root"
ids = "single"
run = ["sh", "-c", "i=0; while [ $i -lt 4000 ]; do echo $i.................................................; i=$((i+1)); done > /big"]
)toml";

struct Ended {
    Result all;
    std::string first;
    std::string check;
    std::string second;
};

Ended run_short(const Workspace& workspace, const Shortage& shortage) {
    const std::string script = format(R"sh(
store={}
mkdir -p $store
{{ {} ; }} || exit 77
( {} ; exec "$@" ); echo "first=$?"
{{ {} ; }} >&2 || exit 78
"$1" store check --store $store >&2; echo "check=$?"
"$@" 2> /dev/null; echo "second=$?"
"$1" store ls --store $store
)sh",
                                      workspace.store(), shortage.arrange, shortage.limit, shortage.mend);
    std::vector<std::string> argv = {"/usr/bin/unshare", "--mount"};
    if (::geteuid() != 0) argv.insert(argv.end(), {"--user", "--map-root-user"});
    argv.insert(argv.end(), {"/bin/sh", "-c", script, "sh"});
    const Start build = workspace.command({"build", "-j", "1"});
    argv.insert(argv.end(), build.argv.begin(), build.argv.end());
    const Result all = tests::support::run({.argv = argv});
    return {all, value_of(all.out, "first"), value_of(all.out, "check"), value_of(all.out, "second")};
}

std::vector<Shortage> shortages() {
    const std::string no_space = "No space left on device";
    std::vector<Shortage> all;
    for (const char* size : {"8k", "64k", "600k", "2400k", "2600k"}) {
        all.push_back({format("a store of {}", size), format("mount -t tmpfs -o size={} tmpfs $store", size), ":",
                       "mount -o remount,size=100m tmpfs $store", -1, no_space});
    }
    for (const char* inodes : {"5", "12", "20", "35"}) {
        all.push_back({format("a store of {} inodes", inodes),
                       format("mount -t tmpfs -o nr_inodes={} tmpfs $store", inodes), ":",
                       "mount -o remount,nr_inodes=10000 tmpfs $store", -1, no_space});
    }
    all.push_back({"a read-only store that is empty", "mount -t tmpfs -o ro tmpfs $store", ":",
                   "mount -o remount,rw tmpfs $store", 3,
                   "Read-only file system; choose a place that you can write to"});
    all.push_back({"a read-only store that was used",
                   "mount -t tmpfs tmpfs $store; \"$@\" base 2> /dev/null; mount -o remount,ro tmpfs $store", ":",
                   "mount -o remount,rw tmpfs $store", 3,
                   "Read-only file system; choose a place that you can write to"});
    all.push_back(
        {"a store on an overlay",
         "mkdir -p $store.o; mount -t tmpfs tmpfs $store.o; mkdir $store.o/l $store.o/u $store.o/w; "
         "mount -t overlay -o lowerdir=$store.o/l,upperdir=$store.o/u,workdir=$store.o/w,userxattr overlay $store",
         ":", "umount $store; mount -t tmpfs tmpfs $store", 3, "overlay"});
    all.push_back({"a store on ramfs, without extended attributes", "mount -t ramfs ramfs $store", ":",
                   "umount $store; mount -t tmpfs tmpfs $store", 0, ""});
    // AddressSanitizer reserves terabytes of address space, and UndefinedBehaviorSanitizer looks at memory by way of a
    // pipe.
    if (is_sanitized) return all;
    for (const char* files : {"6", "10", "14", "20"}) {
        all.push_back({format("{} open files", files), "mount -t tmpfs tmpfs $store", format("ulimit -n {}", files),
                       ":", 3, "Too many open files"});
    }
    for (const char* kilobytes : {"9000", "12000", "20000"}) {
        all.push_back({format("{} kB of memory", kilobytes), "mount -t tmpfs tmpfs $store",
                       format("ulimit -v {}", kilobytes), ":", -1, "error: "});
    }
    return all;
}

}  // namespace

TEST_CASE("a build that lacks what it needs says so, loses nothing, and goes on when it is there",
          "[faults][alone][failclosed]") {
    const Shortage shortage = GENERATE(from_range(shortages()));
    INFO(shortage.name);
    const Workspace workspace;
    workspace.write("note.txt", "a local input\n");
    workspace.pipeline(stages);
    const Ended ended = run_short(workspace, shortage);
    INFO(ended.all.out << ended.all.err);
    const bool is_enough = ended.first == "0";
    if (shortage.code >= 0) {
        CHECK(ended.first == std::to_string(shortage.code));
    } else if (!is_enough) {
        CHECK((ended.first == "1" || ended.first == "3"));
    }
    if (!is_enough) CHECK(tests::pipeline::says(ended.all, shortage.message));
    CHECK(ended.check == "0");
    CHECK(ended.second == "0");
    CHECK(tests::pipeline::says(ended.all, "2 results"));
    write_row(shortage.name, "the whole build", is_enough ? 0 : std::stoi(ended.first), message_of(ended.all.err),
              "what was recorded");
}

// The limit counts all processes of the user, so it is set where the user has no others: in a user namespace, which
// root's own processes are not held to.
TEST_CASE("a build that may not have more processes says so", "[faults][alone]") {
    if (::geteuid() == 0) {
        SUCCEED("an ordinary user's test: root is not held to the limit");
        return;
    }
    const std::string processes = GENERATE("1", "2", "3", "4");
    const Workspace workspace;
    workspace.write("note.txt", "a local input\n");
    workspace.pipeline(stages);
    const Ended ended = run_short(
        workspace, {processes + " processes", ":", "set -- prlimit --nproc=" + processes + " \"$@\"", ":", -1, {}});
    INFO(processes << ended.all.out << ended.all.err);
    if (ended.first != "0") {
        CHECK((ended.first == "1" || ended.first == "3"));
        CHECK(tests::pipeline::says(ended.all, "Resource temporarily unavailable"));
    }
    CHECK(ended.check == "0");
    CHECK(ended.second == "0");
    write_row(processes + " processes", "the whole build", std::stoi(ended.first), message_of(ended.all.err),
              "what was recorded");
}
