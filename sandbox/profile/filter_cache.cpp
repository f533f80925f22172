#include "sandbox/profile/filter_cache.hpp"

#include <fcntl.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

#include "sandbox/filter/compile.hpp"
#include "sandbox/os/fd.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sha256.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/profile/filter.hpp"

namespace sandbox {
namespace {

using os::format;

// To be raised when the same recipe is compiled to something else.
constexpr int cache_format = 1;

bool is_ours(int fd, mode_t type) {
    struct stat status {};
    return ::fstat(fd, &status) == 0 && (status.st_mode & S_IFMT) == type && status.st_uid == ::geteuid() &&
           (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

os::Fd open_folder(const std::string& folder) {
    os::Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    return fd.get() >= 0 && is_ours(fd.get(), S_IFDIR) ? std::move(fd) : os::Fd();
}

// Everything that a program is made from, and so what stands before it in the file.
std::string heading(const std::string& recipe) {
    return format("stagebox filter {} by {}\n{}\n{}", cache_format, filter_compiler(), recipe.size(), recipe);
}

std::string file_of(const std::string& recipe, const FilterProgram& program) {
    std::string text = heading(recipe);
    const std::size_t begin = text.size();
    text.resize(begin + program.instructions.size() * sizeof(std::uint64_t));
    std::memcpy(text.data() + begin, program.instructions.data(), text.size() - begin);
    return text + os::sha256_of(text);
}

}  // namespace

std::optional<FilterProgram> FilterCache::find(const std::string& recipe) const {
    if (folder_.empty()) return std::nullopt;
    try {
        const os::Fd folder = open_folder(folder_);
        if (folder.get() < 0) return std::nullopt;
        const os::Fd file(
            ::openat(folder.get(), filter_id(recipe).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        if (file.get() < 0 || !is_ours(file.get(), S_IFREG)) return std::nullopt;
        const std::string text = os::read_all(file.get(), "a compiled filter");
        const std::string head = heading(recipe);
        constexpr std::size_t sum_size = 64;
        if (text.size() <= head.size() + sum_size || !text.starts_with(head)) return std::nullopt;
        const std::string_view whole(text);
        const std::string_view body = whole.substr(0, whole.size() - sum_size);
        const std::size_t bytes = body.size() - head.size();
        if (os::sha256_of(body) != whole.substr(body.size()) || bytes % sizeof(std::uint64_t) != 0 ||
            bytes / sizeof(std::uint64_t) > BPF_MAXINSNS) {
            return std::nullopt;
        }
        FilterProgram program;
        program.instructions.resize(bytes / sizeof(std::uint64_t));
        std::memcpy(program.instructions.data(), body.data() + head.size(), bytes);
        return program;
    } catch (const os::SysError&) {
        return std::nullopt;
    }
}

void FilterCache::keep(const std::string& recipe, const FilterProgram& program) const {
    if (folder_.empty()) return;
    try {
        os::make_directories(folder_, 0700);
        const os::Fd folder = open_folder(folder_);
        if (folder.get() < 0) return;
        os::write_file_atomically(folder.get(), filter_id(recipe), file_of(recipe, program));
    } catch (const os::SysError&) {
        // A full disk, or a home that may not be written: the next run compiles again.
    }
}

}  // namespace sandbox
