// Libraries, converters and programs that a root or an environment offers: only the payload itself ever loads them.
#include <filesystem>
#include <fstream>

#include "sandbox/os/format.hpp"
#include "tests/jail/hostile_root.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;
using sandbox::os::format;
namespace fs = std::filesystem;

namespace {

// Whoever loads the library of this object leaves a file here.
class Marks {
  public:
    explicit Marks(std::string path) : path_(std::move(path)) {
        fs::create_directory(path_);
        fs::permissions(path_, fs::perms::all);
    }
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string left() const {
        std::string names;
        for (const fs::directory_entry& entry : fs::directory_iterator(path_)) {
            names += entry.path().filename().string() + "\n";
        }
        return names;
    }

  private:
    std::string path_;
};

}  // namespace

TEST_CASE("what a payload's environment names is loaded by nobody outside", "[threat][helpers]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Workspace workspace;
    const Marks marks(workspace.path() + "/marks");
    // The library has the same path outside; the marks are not shown in the jail.
    const Words options = join({"--ids",
                                ids,
                                "--setenv",
                                "LD_PRELOAD",
                                evil_library(),
                                "--setenv",
                                "GCONV_PATH",
                                fs::path(evil_library()).parent_path(),
                                "--setenv",
                                "LD_LIBRARY_PATH",
                                fs::path(evil_library()).parent_path(),
                                "--setenv",
                                "STAGEBOX_EVIL_MARKS",
                                marks.path(),
                                "--setenv",
                                "PATH",
                                "/tmp/evil:/usr/bin",
                                "--ro-bind",
                                evil_library(),
                                evil_library()},
                               with_programs());
    const Result ran = tests::jail::run(options, {"sh", "-c", "echo ran"});
    CHECK(ran.out == "ran\n");
    CHECK(marks.left().empty());
    // The twin: the payload does load it.
    const Result inside =
        tests::jail::run(join(options, {"--bind", marks.path(), marks.path()}), {"sh", "-c", "echo ran"});
    CHECK(inside.out == "ran\n");
    CHECK(marks.left() == "loaded-by-sh\n");
}

TEST_CASE("what a root has for its own programs is loaded by nobody outside", "[threat][helpers]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const HostileRoot root;
    const Marks marks(root.path() + "/marks");
    // A C library's ways to load code: the preload file, name services, character sets.
    fs::create_directories(root.path() + "/etc");
    fs::create_directories(root.path() + "/lib/x86_64-linux-gnu/gconv");
    std::ofstream(root.path() + "/etc/ld.so.preload") << "/evil.so\n";
    std::ofstream(root.path() + "/etc/nsswitch.conf") << "passwd: evil\ngroup: evil\nhosts: evil\n";
    fs::copy_file(evil_library(), root.path() + "/evil.so");
    for (const char* name :
         {"libnss_evil.so.2", "libnss_files.so.2", "libmount.so.1", "libsystemd.so.0", "libc.so.6"}) {
        fs::copy_file(evil_library(), root.path() + "/lib/x86_64-linux-gnu/" + name);
    }
    const Result ran = root.run(ids, {}, {"/probe", "echo", "ran"});
    INFO(ran.err);
    CHECK(ran.out == "ran\n");
    CHECK(marks.left().empty());
    CHECK(root.canary().is_unchanged());
    // The twin: a dynamic program in this root does load it.
    const std::string libraries = root.path() + "/lib/x86_64-linux-gnu/";
    fs::remove(libraries + "libc.so.6");
    fs::create_directory(root.path() + "/lib64");
    fs::copy_file("/lib64/ld-linux-x86-64.so.2", root.path() + "/lib64/ld-linux-x86-64.so.2");
    const Result dynamic =
        root.run(ids, {"--ro-bind", "/usr", "/usr", "--setenv", "LD_LIBRARY_PATH", "/usr/lib/x86_64-linux-gnu"},
                 {"/usr/bin/true"});
    INFO(dynamic.err);
    CHECK(dynamic.code == 0);
    CHECK(marks.left() == "loaded-by-true\n");
}

TEST_CASE("the caller's own search path finds no helper of the payload's making", "[threat][helpers]") {
    const Workspace workspace;
    const Marks marks(workspace.path() + "/marks");
    const std::string tools = workspace.path() + "/tools";
    fs::create_directory(tools);
    for (const char* name : {"newuidmap", "newgidmap", "mount", "ip", "pasta", "sh"}) {
        std::ofstream(tools + "/" + name) << format("#!/bin/sh\ntouch {}/ran-{}\nexit 1\n", marks.path(), name);
        fs::permissions(tools + "/" + name, fs::perms::all);
    }
    // In the stage's own environment: what the jail gets, and nobody else.
    const Result ran =
        tests::jail::run(join({"--ids", "range", "--setenv", "PATH", tools}, with_programs()), {"/usr/bin/true"});
    INFO(ran.err);
    CHECK(ran.code == 0);
    CHECK(marks.left().empty());
}
