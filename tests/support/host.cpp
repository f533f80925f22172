#include "tests/support/host.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"
#include "tests/support/catch.hpp"

namespace tests::support {

namespace fs = std::filesystem;
using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::sys;

namespace {

std::string text_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::string facts_of(const fs::path& path) {
    struct stat status {};
    sys([&] { return ::lstat(path.c_str(), &status); }, "look at {}", path.string());
    std::string text = format("{} {:o} {} {} {} {}.{}", path.string(), status.st_mode, status.st_uid, status.st_gid,
                              status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    if (S_ISLNK(status.st_mode)) text += " -> " + fs::read_symlink(path).string();
    if (S_ISREG(status.st_mode)) text += " " + text_of(path);
    return text + "\n";
}

std::string facts_of_tree(const std::string& root) {
    std::vector<std::string> lines{facts_of(root)};
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root))
        lines.push_back(facts_of(entry.path()));
    std::ranges::sort(lines);
    std::string text;
    for (const std::string& line : lines) text += line;
    return text;
}

}  // namespace

std::vector<pid_t> processes_with(const std::string& marker) {
    std::vector<pid_t> found;
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        const pid_t pid = std::stoi(name);
        if (pid == ::getpid()) continue;
        if (text_of(entry.path() / "cmdline").find(marker) != std::string::npos) found.push_back(pid);
    }
    return found;
}

std::vector<std::string> mounts_with(const std::string& text) {
    std::vector<std::string> found;
    std::ifstream table("/proc/self/mountinfo");
    for (std::string line; std::getline(table, line);) {
        if (line.find(text) != std::string::npos) found.push_back(line);
    }
    return found;
}

bool becomes_true(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= end) return false;
        ::usleep(5000);
    }
    return true;
}

std::string unique_marker() {
    std::uint64_t number = 0;
    sys([&] { return ::getrandom(&number, sizeof number, 0); }, "get a random number");
    return format("marker-{:016x}", number);
}

void unavailable(const std::string& what) {
    if (std::getenv("STAGEBOX_TESTS_COMPLETE") != nullptr) FAIL("not available here: " << what);
    WARN("not tested, because not available here: " << what);
}

// ---- Listener
// ---------------------------------------------------------------------------------------------------

Listener::Listener() : name_("@" + unique_marker()) {
    inet_ = Fd(sys([] { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }, "make a socket"));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sys([&] { return ::bind(inet_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address); }, "bind");
    sys([&] { return ::listen(inet_.get(), 16); }, "listen");

    unix_ = Fd(sys([] { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }, "make a socket"));
    sockaddr_un abstract{};
    abstract.sun_family = AF_UNIX;
    std::copy(name_.begin() + 1, name_.end(), abstract.sun_path + 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    sys([&] { return ::bind(unix_.get(), reinterpret_cast<const sockaddr*>(&abstract), size); }, "bind");
    sys([&] { return ::listen(unix_.get(), 16); }, "listen");
}

std::string Listener::port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    sys([&] { return ::getsockname(inet_.get(), reinterpret_cast<sockaddr*>(&address), &size); }, "ask for the port");
    return format("{}", ntohs(address.sin_port));
}

// ---- Canary
// -----------------------------------------------------------------------------------------------------

Canary::Canary(std::string path) : path_(std::move(path)) {
    fs::create_directories(path_ + "/directory");
    std::ofstream(path_ + "/file") << "canary\n";
    std::ofstream(path_ + "/directory/null") << "not a device\n";
    fs::create_symlink("file", path_ + "/link");
    // Whoever gets here, whatever ids it has, could change it.
    for (const char* name : {"", "/file", "/directory", "/directory/null"}) {
        fs::permissions(path_ + name, fs::perms::all);
    }
    before_ = facts_of_tree(path_);
}

bool Canary::is_unchanged() const {
    return facts_of_tree(path_) == before_;
}

}  // namespace tests::support
