#include "runtime/cli/run/mounts.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::cli {

using sandbox::os::format;

namespace {

// The path of a source without links; nothing where `may_lack` and there is none.
enum class Missing : unsigned char { refuse, skip };
std::optional<std::string> find_source(const std::string& path, Missing missing) {
    char* real = ::realpath(path.c_str(), nullptr);
    if (real == nullptr) {
        if (missing == Missing::skip && errno == ENOENT) return std::nullopt;
        refuse(format("Can't find source path {}: {}", path, std::strerror(errno)));
    }
    std::string text = real;
    ::free(real);
    return text;
}

std::uint32_t parse_mode(const std::string& option, const std::string& text) {
    std::uint32_t mode = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
    if (error != std::errc{} || stop != text.data() + text.size() || mode > 07777) {
        refuse(format("{} takes an octal argument <= 07777", option));
    }
    return mode;
}

std::uint64_t parse_size(const std::string& text) {
    errno = 0;
    char* end = nullptr;
    const unsigned long long size = std::strtoull(text.c_str(), &end, 0);
    const bool is_number = !text.empty() && text.front() >= '0' && text.front() <= '9' && *end == '\0';
    if (!is_number || errno != 0 || size == 0) refuse("--size takes a non-zero number of bytes");
    constexpr std::uint64_t most = SIZE_MAX >> 1U;
    if (size > most) refuse(format("--size (for tmpfs) is limited to {}", most));
    return size;
}

// The terminal on standard output, by its name on the host; empty where there is none.
std::string output_terminal() {
    if (::isatty(1) != 1) return {};
    std::array<char, PATH_MAX> name{};
    return ::ttyname_r(1, name.data(), name.size()) == 0 ? name.data() : "";
}

bool starts_root(const sandbox::Mount& mount) {
    const auto is_root = [](const auto* one) { return one != nullptr && one->target == "/"; };
    return is_root(std::get_if<sandbox::Bind>(&mount)) || is_root(std::get_if<sandbox::Tmpfs>(&mount)) ||
           is_root(std::get_if<sandbox::Overlay>(&mount));
}

}  // namespace

void refuse(const std::string& text) {
    throw std::invalid_argument(text);
}

int parse_fd(const std::string& text) {
    int fd = -1;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
    if (error != std::errc{} || stop != text.data() + text.size() || fd < 0) refuse(format("Invalid fd: {}", text));
    return fd;
}

std::string take_content(int fd, const std::string& option) {
    // An empty stream is what is left of one that an earlier option took.
    const sandbox::os::Fd owned(fd);
    try {
        return sandbox::os::read_all(fd, option);
    } catch (const sandbox::os::SysError& error) {
        refuse(format("Can't read {} data: {}",
                      option == "--seccomp" || option == "--add-seccomp-fd" ? "seccomp" : option,
                      std::strerror(error.error())));
    }
}

const std::vector<HelpRow>& MountOptions::rows() {
    static const std::vector<HelpRow> all = {
        {"--bind", "SRC DEST", "Show SRC, writable"},
        {"--ro-bind", "SRC DEST", "Show SRC, read-only"},
        {"--dev-bind", "SRC DEST", "Show SRC, writable, with its device files"},
        {"--bind-try", "SRC DEST", "The same, or nothing where there is no SRC"},
        {"--ro-bind-try", "SRC DEST", "The same, or nothing where there is no SRC"},
        {"--dev-bind-try", "SRC DEST", "The same, or nothing where there is no SRC"},
        {"--bind-fd", "FD DEST", "Show the open directory or file FD"},
        {"--ro-bind-fd", "FD DEST", "Show the open directory or file FD"},
        {"--remount-ro", "DEST", "Make the mount at DEST, and none below it, read-only"},
        {"--overlay-src", "SRC", "A layer of the overlay that follows; the first is the lowest"},
        {"--overlay", "RWSRC WORKDIR DEST", "The layers with RWSRC on top, which takes the changes"},
        {"--tmp-overlay", "DEST", "The layers; changes are kept in memory and forgotten"},
        {"--ro-overlay", "DEST", "The layers, read-only"},
        {"--tmpfs", "DEST", "An empty file system in memory"},
        {"--proc", "DEST", "The jail's own procfs"},
        {"--dev", "DEST", "A minimal /dev"},
        {"--mqueue", "DEST", "POSIX message queues"},
        {"--dir", "DEST", "An empty directory"},
        {"--file", "FD DEST", "A file with what can be read from FD"},
        {"--bind-data", "FD DEST", "The same, mounted over DEST"},
        {"--ro-bind-data", "FD DEST", "The same, mounted over DEST"},
        {"--symlink", "TEXT DEST", "A symbolic link"},
        {"--perms", "OCTAL", "The mode of what the next option makes"},
        {"--size", "BYTES", "The size of the next --tmpfs"},
        {"--chmod", "OCTAL PATH", "Change the mode of PATH"}};
    return all;
}

std::optional<int> MountOptions::values_of(const std::string& option) {
    const auto found = std::ranges::find(rows(), option, &HelpRow::name);
    if (found == rows().end()) return std::nullopt;
    return count_words(found->values);
}

void MountOptions::take(const std::string& option, const std::vector<std::string>& values) {
    if (option == "--perms" || option == "--size") {
        modify(option, values[0]);
    } else if (option == "--overlay-src") {
        sources_.push_back(*find_source(values[0], Missing::refuse));
    } else if (option.ends_with("overlay")) {
        overlay(option, values);
    } else if (option == "--bind-fd" || option == "--ro-bind-fd") {
        bind_descriptor(option, parse_fd(values[0]), values[1]);
    } else if (option == "--file" || option.ends_with("-data")) {
        make_file(option, parse_fd(values[0]), values[1]);
    } else if (option.find("bind") != std::string::npos) {
        bind(option, values[0], values[1]);
    } else {
        make(option, values);
    }
    settle(option);
}

void MountOptions::settle(const std::string& option) const {
    const bool is_modifier = option == "--perms" || option == "--size";
    if (!is_modifier && mode_) refuse("--perms must be followed by an option that creates a file");
    if (!is_modifier && size_ != 0) refuse("--size must be followed by --tmpfs");
    if (option != "--overlay-src" && !sources_.empty()) {
        refuse(
            "--overlay-src must be followed by another --overlay-src or one of --overlay, --tmp-overlay, or "
            "--ro-overlay");
    }
}

void MountOptions::modify(const std::string& option, const std::string& value) {
    if (option == "--perms") {
        if (mode_) refuse("--perms given twice for the same action");
        mode_ = parse_mode(option, value);
        return;
    }
    if (size_ != 0) refuse("--size given twice for the same action");
    size_ = parse_size(value);
}

std::uint32_t MountOptions::mode_or(std::uint32_t standard) {
    const std::uint32_t mode = mode_.value_or(standard);
    mode_.reset();
    return mode;
}

// A target is always below the root, and doubled or trailing slashes mean nothing. bubblewrap takes relative ones to
// begin there, and "." and ".." by their words; here they are mistakes.
std::string MountOptions::target_of(const std::string& text) const {
    const auto refuse_target = [&] {
        refuse(format("the target \"{}\" is not an absolute path without . and ..", text));
    };
    const bool is_strict = contract_ == Contract::stagebox;
    if (is_strict && !text.starts_with("/")) refuse_target();
    std::vector<std::string> parts;
    for (std::size_t start = 0; start <= text.size();) {
        const std::size_t end = std::min(text.find('/', start), text.size());
        const std::string part = text.substr(start, end - start);
        start = end + 1;
        if (is_strict && (part == "." || part == "..")) refuse_target();
        if (part.empty() || part == ".") continue;
        if (part == "..") {
            if (!parts.empty()) parts.pop_back();
            continue;
        }
        parts.push_back(part);
    }
    std::string target;
    for (const std::string& part : parts) target += "/" + part;
    return target.empty() ? "/" : target;
}

void MountOptions::bind(const std::string& option, const std::string& source, const std::string& target) {
    const bool may_lack = option.ends_with("-try");
    const auto real = find_source(source, may_lack ? Missing::skip : Missing::refuse);
    if (!real) return;
    const bool is_read_only = option.starts_with("--ro-");
    const bool has_devices = option.starts_with("--dev-");
    mounts_.emplace_back(
        sandbox::Bind{*real, target_of(target), is_read_only ? sandbox::Access::read_only : sandbox::Access::read_write,
                      has_devices ? sandbox::DeviceFiles::open : sandbox::DeviceFiles::closed, std::nullopt});
}

// A handle cannot be mounted in another user namespace, so the path behind it is, and must be the same file.
void MountOptions::bind_descriptor(const std::string& option, int fd, const std::string& target) {
    struct stat status = {};
    if (::fstat(fd, &status) != 0) refuse(format("Can't stat fd {}: {}", fd, std::strerror(errno)));
    const auto real = find_source(format("/proc/self/fd/{}", fd), Missing::refuse);
    mounts_.emplace_back(sandbox::Bind{
        *real, target_of(target), option == "--ro-bind-fd" ? sandbox::Access::read_only : sandbox::Access::read_write,
        sandbox::DeviceFiles::closed, sandbox::FileIdentity{status.st_dev, status.st_ino}});
    ::close(fd);
}

void MountOptions::overlay(const std::string& option, const std::vector<std::string>& values) {
    const std::size_t least = option == "--ro-overlay" ? 2 : 1;
    if (sources_.size() < least) {
        refuse(format("{} requires at least {} --overlay-src", option, least == 1 ? "one" : "two"));
    }
    sandbox::Overlay made;
    made.lowers.assign(sources_.rbegin(), sources_.rend());
    sources_.clear();
    made.target = target_of(values.back());
    if (option == "--overlay") {
        made.upper = *find_source(values[0], Missing::refuse);
        made.work = *find_source(values[1], Missing::refuse);
        made.changes = sandbox::Changes::kept;
    } else if (option == "--tmp-overlay") {
        made.changes = sandbox::Changes::discarded;
    }
    mounts_.emplace_back(std::move(made));
}

void MountOptions::make(const std::string& option, const std::vector<std::string>& values) {
    const std::string target = target_of(values.back());
    if (option == "--tmpfs") {
        mounts_.emplace_back(sandbox::Tmpfs{target, mode_or(0755), std::exchange(size_, 0)});
    } else if (option == "--proc") {
        mounts_.emplace_back(sandbox::Proc{target});
    } else if (option == "--dev") {
        make_dev(target);
    } else if (option == "--mqueue") {
        mounts_.emplace_back(sandbox::Mqueue{target});
    } else if (option == "--dir") {
        mounts_.emplace_back(sandbox::Directory{target, mode_or(0755)});
    } else if (option == "--symlink") {
        mounts_.emplace_back(sandbox::Symlink{target, values[0]});
    } else if (option == "--chmod") {
        mounts_.emplace_back(sandbox::Chmod{target, parse_mode(option, values[0])});
    } else {
        mounts_.emplace_back(sandbox::ReadOnly{target});
    }
}

void MountOptions::make_file(const std::string& option, int fd, const std::string& target) {
    std::string content = take_content(fd, option);
    if (option == "--file") {
        mounts_.emplace_back(sandbox::WrittenFile{target_of(target), std::move(content), mode_or(0666)});
        return;
    }
    const auto access = option == "--bind-data" ? sandbox::Access::read_write : sandbox::Access::read_only;
    mounts_.emplace_back(sandbox::File{target_of(target), std::move(content), mode_or(0600), access});
}

// Under bubblewrap's contract exactly its entries; else sandbox::Dev.
void MountOptions::make_dev(const std::string& target) {
    if (contract_ == Contract::stagebox) {
        mounts_.emplace_back(sandbox::Dev{target});
        return;
    }
    const auto at = [&](const char* name) { return (target == "/" ? "" : target) + "/" + name; };
    mounts_.emplace_back(sandbox::Tmpfs{target, 0755, 0});
    for (const char* name : {"null", "zero", "full", "random", "urandom", "tty"}) {
        mounts_.emplace_back(sandbox::Device{format("/dev/{}", name), at(name)});
    }
    const std::pair<const char*, const char*> links[] = {{"stdin", "/proc/self/fd/0"},
                                                         {"stdout", "/proc/self/fd/1"},
                                                         {"stderr", "/proc/self/fd/2"},
                                                         {"fd", "/proc/self/fd"},
                                                         {"core", "/proc/kcore"}};
    for (const auto& [name, points_to] : links) mounts_.emplace_back(sandbox::Symlink{at(name), points_to});
    mounts_.emplace_back(sandbox::Directory{at("shm"), 0755});
    mounts_.emplace_back(sandbox::Devpts{at("pts")});
    mounts_.emplace_back(sandbox::Symlink{at("ptmx"), "pts/ptmx"});
    // The terminal that the command has on its output anyway, under a name that ttyname(3) can find.
    const std::string terminal = output_terminal();
    if (!terminal.empty()) mounts_.emplace_back(sandbox::Device{terminal, at("console")});
}

std::vector<sandbox::Mount> MountOptions::finish(sandbox::Share pid) {
    std::vector<sandbox::Mount> all;
    if (mounts_.empty() || !starts_root(mounts_.front())) all.emplace_back(sandbox::Tmpfs{"/", 0755, 0});
    for (sandbox::Mount& mount : mounts_) {
        const auto* proc = std::get_if<sandbox::Proc>(&mount);
        if (proc == nullptr || contract_ == Contract::stagebox) {
            all.push_back(std::move(mount));
            continue;
        }
        const std::string target = proc->target == "/" ? "" : proc->target;
        if (pid == sandbox::Share::own) {
            all.push_back(mount);
        } else {
            all.emplace_back(sandbox::Bind{"/proc", proc->target, sandbox::Access::read_write,
                                           sandbox::DeviceFiles::closed, std::nullopt});
        }
        for (const char* name : {"sys", "sysrq-trigger", "irq", "bus"}) {
            all.emplace_back(sandbox::Protect{format("{}/{}", target, name)});
        }
    }
    return all;
}

}  // namespace runtime::cli
