// Targets that lead elsewhere: every kind of mount or file that can be put into a root, on a leaf or below a parent
// that is a symbolic link, and on one that is swapped for another while the jail comes about.
#include <sys/syscall.h>

#include <algorithm>
#include <filesystem>

#include "sandbox/os/format.hpp"
#include "tests/jail/hostile_root.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;
using sandbox::os::format;
namespace fs = std::filesystem;

namespace {

constexpr const char* targets[] = {"CANARY/directory",
                                   "../canary/directory",
                                   "../../../../../../../../../../../../..CANARY/directory",
                                   "/proc/self/root/CANARY",
                                   "/proc/1/root",
                                   "/proc/self/cwd",
                                   "/proc/self/fd/3",
                                   "dangling"};

// Each kind of option that puts something at `target`.
std::vector<Words> operations_on(const std::string& target, const std::string& source) {
    return {{"--bind", source + "/directory", target},
            {"--ro-bind", source + "/file", target},
            {"--tmpfs", target},
            {"--proc", target},
            {"--dev", target},
            {"--mqueue", target},
            {"--dir", target},
            {"--symlink", "text", target}};
}

// What a jail under that root must not do, whatever it answers: touch the canary, run with the operation left out, or
// leave a mount on the host.
void check_contained(const HostileRoot& root, const Result& result) {
    UNSCOPED_INFO(result.err);
    CHECK((result.code == 0 || result.code == 125));
    CHECK(result.out == (result.code == 0 ? "ran\n" : ""));
    CHECK(root.canary().is_unchanged());
    CHECK(mounts_with(root.path()).empty());
}

// Names A and B of a directory are swapped as fast as can be, for as long as this lives.
class Swapper {
  public:
    Swapper(const std::string& one, const std::string& other)
        : process_({.argv = {probe_program(), "swap", one, other}}) {
        process_.wait_for("swapping");
    }

  private:
    Process process_;
};

}  // namespace

TEST_CASE("no kind of mount or file leaves the root through a link, leaf or parent", "[threat][paths]") {
    const std::string ids = GENERATE("single", "range");
    const std::string text = GENERATE(from_range(std::begin(targets), std::end(targets)));
    const HostileRoot root;
    const Canary source(root.workspace() + "/source");
    root.replace("link", root.expand(text));
    for (const char* target : {"/link", "/link/new", "/link/new/below"}) {
        for (const Words& operation : operations_on(target, source.path())) {
            INFO(ids << " " << operation.front() << " " << target << " -> " << root.expand(text));
            const Result result = root.run(ids, operation, {"/probe", "echo", "ran"});
            check_contained(root, result);
            CHECK(source.is_unchanged());
        }
    }
}

TEST_CASE("every kind of mount or file works where nothing is in the way", "[threat][paths]") {
    const std::string ids = GENERATE("single", "range");
    const Workspace workspace;
    const Canary source(workspace.path() + "/source");
    int count = 0;
    for (const Words& operation : operations_on("/plain/new", source.path())) {
        INFO(ids << " " << operation.front());
        const HostileRoot root;  // what an earlier operation has made belongs to the jail's ids
        const Result result = root.run(ids, operation, {"/probe", "stat", "/plain/new"});
        INFO(result.err);
        CHECK(result.code == 0);
        CHECK(value_of(result.out, "stat") == "ok");
        ++count;
    }
    CHECK(count == 8);
}

TEST_CASE("a target whose parents may be entered but not read is reached", "[threat][paths]") {
    const std::string ids = GENERATE("single", "range");
    const HostileRoot root;
    fs::create_directories(root.path() + "/closed/inner");
    fs::create_directories(root.workspace() + "/outer/source");
    fs::permissions(root.path() + "/closed/inner", fs::perms::all);
    for (const std::string& path : {root.path() + "/closed", root.workspace() + "/outer"}) {
        fs::permissions(path, static_cast<fs::perms>(0711));
    }
    const Result result = root.run(ids, {"--ro-bind", root.workspace() + "/outer/source", "/closed/inner/new"},
                                   {"/probe", "stat", "/closed/inner/new"});
    INFO(ids << result.err);
    CHECK(value_of(result.out, "type") == "directory");
}

TEST_CASE("a target that is swapped for a link while the jail comes about is never left through it",
          "[threat][paths][race]") {
    const HostileRoot root;
    const Canary source(root.workspace() + "/source");
    fs::create_directories(root.path() + "/turning/below");
    for (const char* name : {"/turning", "/turning/below"}) fs::permissions(root.path() + name, fs::perms::all);
    fs::create_symlink("../canary/directory", root.path() + "/other");
    int ran = 0;
    int refused = 0;
    {
        const Swapper swapper(root.path() + "/turning", root.path() + "/other");
        for (int round = 0; round < 500; ++round) {
            const char* target = round % 2 == 0 ? "/turning/below" : "/turning/new/deeper";
            const std::vector<Words> operations = operations_on(target, source.path());
            const Words& operation = operations[static_cast<std::size_t>(round) % operations.size()];
            INFO("round " << round << " " << operation.front() << " " << target);
            const Result result = root.run(round % 4 < 2 ? "single" : "range", operation, {"/probe", "echo", "ran"});
            UNSCOPED_INFO(result.err);
            REQUIRE((result.code == 0 || result.code == 125));
            ++(result.code == 0 ? ran : refused);
        }
    }
    INFO(ran << " ran, " << refused << " were refused");
    // Both faces of the link were met.
    CHECK(ran > 0);
    CHECK(root.canary().is_unchanged());
    CHECK(source.is_unchanged());
    CHECK(mounts_with(root.path()).empty());
}

TEST_CASE("a mount point that is swapped for a link is a mount point or refused", "[threat][paths][race]") {
    const HostileRoot root;
    // A jail's own mounts: /dev, where devices would be made, and /run.
    const std::string name = GENERATE("dev", "run");
    fs::create_symlink("../canary", root.path() + "/other");
    {
        const Swapper swapper(root.path() + "/" + name, root.path() + "/other");
        for (int round = 0; round < 250; ++round) {
            const Result result = root.run(round % 2 == 0 ? "single" : "range", {}, {"/probe", "list", "/" + name});
            INFO("round " << round << result.err);
            // 1: the mount point has just been given another name, and the payload finds no such directory.
            REQUIRE((result.code == 0 || result.code == 1 || result.code == 125));
            REQUIRE(result.out.find("file\n") == std::string::npos);
        }
    }
    CHECK(root.canary().is_unchanged());
    CHECK(mounts_with(root.path()).empty());
}

TEST_CASE("links lead nowhere either where the kernel has no openat2", "[threat][paths][openat2][.env]") {
    const std::string ids = GENERATE("single", "range");
    const std::string error = GENERATE("38", "1");  // an old kernel; a container's filter
    const HostileRoot root;
    const Canary source(root.workspace() + "/source");
    const auto run_without = [&](const Words& operation, const Words& command) {
        Start start = start_of(join({"--ids", ids, "--root", root.path()}, operation), command);
        start.argv = join({probe_program(), "refuse", format("{}", SYS_openat2), error}, start.argv);
        return tests::support::run(start);
    };
    for (const char* text : targets) {
        root.replace("link", root.expand(text));
        for (const char* target : {"/link", "/link/new"}) {
            for (const Words& operation : operations_on(target, source.path())) {
                INFO(ids << " " << operation.front() << " " << target << " -> " << root.expand(text));
                check_contained(root, run_without(operation, {"/probe", "echo", "ran"}));
            }
        }
    }
    CHECK(source.is_unchanged());
    // The twin: without a link in the way it works, or says what is missing.
    const Result plain = run_without({"--tmpfs", "/plain/new"}, {"/probe", "stat", "/plain/new"});
    INFO(plain.err);
    CHECK((plain.code == 0 || plain.err.find("openat2") != std::string::npos));
}
