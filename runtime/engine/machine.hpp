// What the machine has left, as the kernel tells it.
#pragma once
#include <cstdint>
#include <optional>

namespace runtime::engine {

// MemAvailable of /proc/meminfo, in bytes; more than any stage needs where it cannot be read.
std::uint64_t available_memory();
// What an ordinary user could still write to the file system of this directory; nothing where that is not known.
std::optional<std::uint64_t> free_bytes(int directory);

}  // namespace runtime::engine
