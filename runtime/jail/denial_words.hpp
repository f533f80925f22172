// A system call in words: `mount("none", "/mnt", "tmpfs", MS_NOSUID, …)`. Arguments that can be shown safely are shown:
// numbers, by name where they have one, and paths. Never what is in a buffer. Knows nothing of processes.
#pragma once
#include <linux/seccomp.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace runtime::jail {

// The text at an address of the one who calls; nothing where there is none.
using TextAt = std::function<std::optional<std::string>(std::uint64_t address)>;

// Fit for a terminal, whatever the payload put there; long paths are cut. `name`: as in syscalls(2); of a call that is
// not known here, no argument is shown.
std::string show_call(std::string_view name, const seccomp_data& call, const TextAt& text_at);

// The argument that says which of several things a call does: the request of ioctl, the family of socket, the flags of
// unshare. 0 where there is none.
std::uint64_t telling_argument(std::string_view name, const seccomp_data& call);

// EPERM -> "EPERM".
std::string error_name(int error);

}  // namespace runtime::jail
