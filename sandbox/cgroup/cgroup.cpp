#include "sandbox/cgroup/cgroup.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string_view>

#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"

namespace sandbox {
namespace {

using os::format;

constexpr std::uint64_t cpu_period = 100'000;  // microseconds; the kernel's own choice

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t number = 0;
    const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || stopped == text.data()) return std::nullopt;
    return number;
}

std::optional<std::uint64_t> read_number(int directory, const std::string& name) {
    const auto text = read_cgroup_file(directory, name);
    return text ? number_of(*text) : std::nullopt;
}

std::optional<std::uint64_t> read_count(int directory, const std::string& name, const std::string& word) {
    const auto text = read_cgroup_file(directory, name);
    return text ? find_count(*text, word) : std::nullopt;
}

std::optional<double> read_seconds(int directory, const std::string& word) {
    const auto microseconds = read_count(directory, "cpu.stat", word);
    if (!microseconds) return std::nullopt;
    return static_cast<double>(*microseconds) / 1e6;
}

void write_if_there(int directory, const std::string& name, const std::string& text) {
    if (os::exists(directory, name)) write_cgroup_file(directory, name, text);
}

}  // namespace

void write_cgroup_file(int directory, const std::string& name, const std::string& text) {
    const os::Fd file(
        os::sys([&] { return ::openat(directory, name.c_str(), O_WRONLY | O_CLOEXEC); }, "open the cgroup's {}", name));
    os::sys([&] { return ::write(file.get(), text.data(), text.size()); }, "write {} to the cgroup's {}", text, name);
}

std::optional<std::string> read_cgroup_file(int directory, const std::string& name) {
    try {
        return os::read_file_if_exists(directory, name);
    } catch (const os::SysError&) {
        return std::nullopt;
    }
}

std::optional<std::uint64_t> find_count(const std::string& text, const std::string& word) {
    for (std::size_t start = 0; start < text.size();) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        const std::string_view line = std::string_view(text).substr(start, end - start);
        start = end + 1;
        if (line.starts_with(word + " ")) return number_of(line.substr(word.size() + 1));
    }
    return std::nullopt;
}

std::uint64_t sum_counts(const std::string& text, const std::string& word) {
    const std::string key = " " + word + "=";
    std::uint64_t sum = 0;
    for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at + 1)) {
        sum += number_of(std::string_view(text).substr(at + key.size())).value_or(0);
    }
    return sum;
}

// cgroup.events can be polled: it changes when the last process has gone.
bool wait_until_empty(int directory) noexcept {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::seconds(2);
    const os::Fd events(::openat(directory, "cgroup.events", O_RDONLY | O_CLOEXEC));
    if (!events) return true;
    for (;;) {
        char text[128] = {};
        if (::pread(events.get(), text, sizeof text - 1, 0) < 0) return true;
        if (std::string_view(text).find("populated 0") != std::string_view::npos) return true;
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        if (left <= 0) return false;
        pollfd changed = {events.get(), POLLPRI, 0};
        static_cast<void>(::poll(&changed, 1, static_cast<int>(left)));
    }
}

Cgroup::Cgroup(int parent, std::string name, Birth birth, Enter enter)
    : parent_(parent), name_(std::move(name)), birth_(birth), enter_(std::move(enter)) {
    os::sys([&] { return ::mkdirat(parent_, name_.c_str(), 0755); }, "make the cgroup {}", name_);
    try {
        directory_ = os::open_directory(parent_, name_);
    } catch (...) {
        ::unlinkat(parent_, name_.c_str(), AT_REMOVEDIR);
        throw;
    }
}

Cgroup::Cgroup(Cgroup&& other) noexcept
    : parent_(other.parent_),
      name_(std::move(other.name_)),
      birth_(other.birth_),
      directory_(std::move(other.directory_)),
      enter_(std::move(other.enter_)) {}

Cgroup& Cgroup::operator=(Cgroup&& other) noexcept {
    if (this != &other) {
        remove();
        parent_ = other.parent_;
        name_ = std::move(other.name_);
        birth_ = other.birth_;
        directory_ = std::move(other.directory_);
        enter_ = std::move(other.enter_);
    }
    return *this;
}

void Cgroup::remove() noexcept {
    if (!directory_) return;
    kill();
    wait_until_empty(directory_.get());
    directory_.reset();
    ::unlinkat(parent_, name_.c_str(), AT_REMOVEDIR);
}

void Cgroup::limit(const Limits& limits) const {
    const int here = directory();
    if (limits.memory) {
        write_cgroup_file(here, "memory.max", format("{}", *limits.memory));
        write_if_there(here, "memory.swap.max", "0");  // not there where the kernel does not count swap
        // Half a build is of no use: the first that would be killed takes all the others with it.
        write_cgroup_file(here, "memory.oom.group", "1");
    }
    // One more: init is ours.
    if (limits.pids) write_cgroup_file(here, "pids.max", format("{}", *limits.pids + 1));
    if (limits.cpu) write_cgroup_file(here, "cpu.max", format("{} {}", *limits.cpu * cpu_period / 1000, cpu_period));
    if (limits.io_weight) {
        write_if_there(here, "io.weight", format("default {}", *limits.io_weight));
        // The scheduler BFQ has a weight of its own, which ends at 1000.
        write_if_there(here, "io.bfq.weight", format("default {}", std::min(*limits.io_weight, 1000U)));
    }
}

void Cgroup::kill() const noexcept {
    if (!directory_) return;
    const os::Fd file(::openat(directory_.get(), "cgroup.kill", O_WRONLY | O_CLOEXEC));
    if (file) static_cast<void>(!::write(file.get(), "1", 1));
}

CgroupUsage Cgroup::usage() const {
    const int here = directory();
    CgroupUsage usage;
    usage.cpu_seconds = read_seconds(here, "usage_usec");
    usage.throttled_seconds = read_seconds(here, "throttled_usec");
    usage.peak_bytes = read_number(here, "memory.peak");
    if (const auto io = read_cgroup_file(here, "io.stat")) {
        usage.read_bytes = sum_counts(*io, "rbytes");
        usage.written_bytes = sum_counts(*io, "wbytes");
    }
    usage.processes = read_number(here, "pids.peak");
    usage.oom_kills = read_count(here, "memory.events", "oom_kill").value_or(0);
    usage.refused_forks = read_count(here, "pids.events", "max").value_or(0);
    return usage;
}

}  // namespace sandbox
