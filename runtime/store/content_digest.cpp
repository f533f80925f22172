#include "runtime/store/content_digest.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "runtime/store/tree.hpp"
#include "sandbox/os/sha256.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::store {

using sandbox::os::format;
using sandbox::os::Sha256;
using sandbox::os::sys;
using sandbox::os::SysError;
using sandbox::os::try_sys;

namespace {

constexpr std::uint64_t block_size = std::uint64_t{1} << 20U;

using RawDigest = std::array<unsigned char, 32>;

RawDigest digest_of(std::string_view block) {
    Sha256 digest;
    digest.update(block);
    return digest.finish_raw();
}

// Most blocks of zeros are whole ones.
RawDigest digest_of_zeros(std::uint64_t length) {
    static const RawDigest whole = digest_of(std::string(block_size, '\0'));
    return length == block_size ? whole : digest_of(std::string(length, '\0'));
}

bool is_zero(std::string_view block) {
    return block.front() == '\0' && std::memcmp(block.data(), block.data() + 1, block.size() - 1) == 0;
}

// Where the next data is that may not be zeros; `size` where there is none. A file system without holes says `offset`.
std::uint64_t next_data(int fd, std::uint64_t offset, std::uint64_t size, std::string_view path) {
    const long found = try_sys([&] { return ::lseek(fd, static_cast<off_t>(offset), SEEK_DATA); });
    if (found == -ENXIO) return size;
    if (found == -EINVAL || found == -EOPNOTSUPP) return offset;
    if (found < 0) throw SysError(static_cast<int>(-found), format("look for data in {}", path));
    return std::min(static_cast<std::uint64_t>(found), size);
}

// Fewer bytes only at the end of the file.
std::string_view read_block(int fd, std::uint64_t offset, std::uint64_t length, std::string_view path) {
    static std::vector<char> buffer(block_size);  // one thread; too large for the stack
    std::uint64_t have = 0;
    while (have < length) {
        const long got =
            sys([&] { return ::pread(fd, buffer.data() + have, length - have, static_cast<off_t>(offset + have)); },
                "read {}", path);
        if (got == 0) break;
        have += static_cast<std::uint64_t>(got);
    }
    return {buffer.data(), have};
}

}  // namespace

std::string content_digest(int fd, std::uint64_t size, std::string_view path) {
    Sha256 all;
    std::uint64_t data = 0;
    for (std::uint64_t offset = 0; offset < size; offset += block_size) {
        const std::uint64_t length = std::min(block_size, size - offset);
        if (data <= offset) data = next_data(fd, offset, size, path);
        RawDigest digest{};
        if (data >= offset + length) {
            digest = digest_of_zeros(length);
        } else {
            const std::string_view block = read_block(fd, offset, length, path);
            if (block.size() < length) throw TreeError(format("{} shrank while it was read", path));
            digest = is_zero(block) ? digest_of_zeros(length) : digest_of(block);
            data = offset;  // what comes after this block is asked for again
        }
        all.update({reinterpret_cast<const char*>(digest.data()), digest.size()});
    }
    struct stat now {};
    sys([&] { return ::fstat(fd, &now); }, "look at {}", path);
    const auto size_now = static_cast<std::uint64_t>(now.st_size);
    if (size_now != size) throw TreeError(format("{} {} while it was read", path, size_now > size ? "grew" : "shrank"));
    return all.finish();
}

}  // namespace runtime::store
