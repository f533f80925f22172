// Both ways of opening a path below a directory give the same answers, and neither leaves it.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <map>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/raw/resolve.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/temporary_directory.hpp"

using sandbox::Links;
using sandbox::os::Fd;
using sandbox::os::sys;
using tests::TemporaryDirectory;
namespace fs = std::filesystem;

namespace {

using Open = long (*)(long, const char*, std::uint64_t, Links) noexcept;
constexpr std::uint64_t itself = O_PATH | O_NOFOLLOW;
constexpr std::uint64_t directory = O_PATH | O_DIRECTORY;

// outside/ with a file, and root/ beside it.
struct Tree {
    Tree() {
        outside.write("outside/file", "outside");
        outside.write("root/a/b/file", "inside");
        outside.write("root/outside/file", "the link's place inside");
        root = Fd(sys([&] { return ::open(path("root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); }, "open root"));
    }
    [[nodiscard]] std::string path(const std::string& name) const { return (outside.path() / name).string(); }
    void link(const std::string& name, const std::string& text) const {
        fs::create_symlink(text, path("root/" + name));
    }

    TemporaryDirectory outside;
    Fd root;
};

// Where a handle is, as a path below root; the error's name where there is none.
std::string place(const Tree& tree, long handle) {
    if (handle < 0) return ::strerrorname_np(static_cast<int>(-handle));
    const Fd fd(static_cast<int>(handle));
    const std::string at = fs::read_symlink("/proc/self/fd/" + std::to_string(fd.get())).string();
    const std::string root = tree.path("root");
    return at.starts_with(root) ? "root" + at.substr(root.size()) : at;
}

}  // namespace

TEST_CASE("a path below a root stays below it", "[resolve]") {
    const Open open = GENERATE(&sandbox::open_below, &sandbox::walk_below);
    const Tree tree;
    tree.link("absolute", "/outside");
    tree.link("up", "../outside");
    tree.link("far-up", "../../../../../../../../outside");
    tree.link("dangling", "nowhere");
    tree.link("real", tree.path("outside"));
    tree.link("self", "/proc/self/root");
    tree.link("loop", "loop");
    tree.link("inner", "a/../a/./b/");
    tree.link("a/back", "..");
    fs::permissions(tree.path("root/a"), fs::perms(0711));
    const auto in_root = [&](const char* path, std::uint64_t flags) {
        return place(tree, open(tree.root.get(), path, flags, Links::in_root));
    };
    CHECK(in_root("/", directory) == "root");
    CHECK(in_root("..", directory) == "root");
    CHECK(in_root("/a/../../../a/b", directory) == "root/a/b");
    CHECK(in_root("/absolute", directory) == "root/outside");
    CHECK(in_root("/absolute/file", itself) == "root/outside/file");
    CHECK(in_root("/up/file", itself) == "root/outside/file");
    CHECK(in_root("/far-up/file", itself) == "root/outside/file");
    CHECK(in_root("/inner/file", itself) == "root/a/b/file");
    CHECK(in_root("/a/back/a/back/a/b", directory) == "root/a/b");
    CHECK(in_root("/dangling/file", itself) == "ENOENT");
    CHECK(in_root("/dangling", itself) == "root/dangling");
    CHECK(in_root("/dangling", directory) == "ENOENT");
    CHECK(in_root("/real/file", itself) == "ENOENT");
    CHECK(in_root("/self/etc", itself) == "ENOENT");  // no /proc in this root
    CHECK(in_root("/loop", directory) == "ELOOP");
    CHECK(in_root("/a/b/file", directory) == "ENOTDIR");
    CHECK(in_root("/a/b/file/", itself) == "ENOTDIR");
    CHECK(in_root("/a/b/file/..", itself) == "ENOTDIR");
    CHECK(in_root(("/" + std::string(300, 'x')).c_str(), itself) == "ENAMETOOLONG");
    CHECK(in_root((std::string(5000, '/')).c_str(), itself) == "ENAMETOOLONG");
}

TEST_CASE("a path that must stay beneath, or may have no link, is refused when it does not", "[resolve]") {
    const Open open = GENERATE(&sandbox::open_below, &sandbox::walk_below);
    const Tree tree;
    tree.link("absolute", "/outside");
    tree.link("up", "../outside");
    tree.link("inner", "a/b");
    const auto with = [&](Links links, const char* path) {
        return place(tree, open(tree.root.get(), path, O_RDONLY, links));
    };
    CHECK(with(Links::beneath, "a/b/file") == "root/a/b/file");
    CHECK(with(Links::beneath, "inner/file") == "root/a/b/file");
    CHECK(with(Links::beneath, "inner/") == "root/a/b");
    CHECK(with(Links::beneath, "a/../a/b/../b/file") == "root/a/b/file");
    CHECK(with(Links::beneath, "absolute") == "EXDEV");
    CHECK(with(Links::beneath, "up/file") == "EXDEV");
    CHECK(with(Links::beneath, "..") == "EXDEV");
    CHECK(with(Links::beneath, "/a") == "EXDEV");
    CHECK(with(Links::refused, "a/b/file") == "root/a/b/file");
    CHECK(with(Links::refused, ".") == "root");
    CHECK(with(Links::refused, "inner/file") == "ELOOP");
    CHECK(with(Links::refused, "inner") == "ELOOP");
    CHECK(with(Links::refused, "../outside/file") == "EXDEV");
}

TEST_CASE("what is opened for reading can be read", "[resolve]") {
    const Open open = GENERATE(&sandbox::open_below, &sandbox::walk_below);
    const Tree tree;
    const Fd file(static_cast<int>(open(tree.root.get(), "a/b/file", O_RDONLY, Links::refused)));
    char text[16] = {};
    CHECK(::read(file.get(), text, sizeof text) == 6);
    CHECK(std::string(text) == "inside");
    CHECK((::fcntl(file.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("the links of procfs lead nowhere", "[resolve]") {
    const Open open = GENERATE(&sandbox::open_below, &sandbox::walk_below);
    const Tree tree;
    const Fd root(sys([] { return ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC); }, "open /"));
    const std::string pid = std::to_string(::getpid());
    CHECK(place(tree, open(root.get(), ("/proc/" + pid + "/root/etc").c_str(), itself, Links::in_root)) == "ELOOP");
    CHECK(place(tree, open(root.get(), ("/proc/" + pid + "/cwd/x").c_str(), itself, Links::in_root)) == "ELOOP");
    CHECK(place(tree, open(root.get(), ("/proc/" + pid + "/status").c_str(), itself, Links::in_root)) ==
          "/proc/" + pid + "/status");
}

TEST_CASE("a directory that is exchanged for a link while it is walked leads out at no time", "[resolve]") {
    const Open open = GENERATE(&sandbox::open_below, &sandbox::walk_below);
    const Tree tree;
    tree.outside.write("root/x/b/file", "inside");
    tree.link("y", "../../../../../../../.." + tree.path("outside"));
    fs::create_directories(tree.path("outside/b"));
    tree.outside.write("outside/b/file", "outside");
    const pid_t exchanger = ::fork();
    REQUIRE(exchanger >= 0);
    if (exchanger == 0) {
        const std::string x = tree.path("root/x");
        const std::string y = tree.path("root/y");
        for (;;) ::syscall(SYS_renameat2, AT_FDCWD, x.c_str(), AT_FDCWD, y.c_str(), RENAME_EXCHANGE);
    }
    std::map<std::string, int> seen;
    for (int i = 0; i < 5000; ++i) ++seen[place(tree, open(tree.root.get(), "/x/b/file", itself, Links::in_root))];
    ::kill(exchanger, SIGKILL);
    ::waitpid(exchanger, nullptr, 0);
    // The directory is seen under either name, because the path is asked for after the walk.
    for (const auto& [where, count] : seen) {
        INFO(where << ": " << count);
        CHECK((where == "root/x/b/file" || where == "root/y/b/file" || where == "ENOENT"));
    }
    CHECK(seen.size() >= 2);  // both states were met
}
