// System call filters: from the OCI runtime's seccomp format, which Docker and podman use too, to the program
// that the kernel runs; the one user of libseccomp. Nothing is installed here: the child does that at the
// end.
//
// What a file means is what runc and crun make of it:
//   - Rules that name capabilities, architectures or a kernel version apply or do not, as in Docker.
//   - System calls that have no name here are passed over: the default action meets them by number.
//   - The first rule without conditions decides over a system call; one that gives the default does not
//   count.
//   - Two conditions on one argument in one rule mean either of them; on different arguments, all.
// Beyond them, what would be ignored in silence is an error: an unknown key, action or operator, an errno
// that cannot be given, and a denial for certain arguments beside an unconditional permission, which would
// never be asked. A machine's other ABIs (x32, for one) get the default action where a file does not list
// them; a file that allows by default kills there, since none of its denials would hold.
#pragma once
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>

#include "sandbox/filter/oci_rules.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/spec/spec.hpp"

namespace sandbox {

// `capabilities`: the bounding set of the jail, as a mask. Throws FilterError.
FilterProgram compile_filter(const os::Json& oci_seccomp, std::uint64_t capabilities);

// The same for rules that are already read.
FilterProgram compile_rules(const FilterRules& rules);

// One program that asks each in turn; the first that does not allow gives the answer. Throws FilterError
// where one but the last answers SCMP_ACT_LOG, which permits the call without asking the rest.
FilterProgram chain_filters(std::span<const FilterProgram> programs);

// Does this machine, or another that libseccomp knows, have a system call of that name?
bool is_system_call(const std::string& name);

// "libseccomp 2.5.4": what compiles here, and so may compile otherwise elsewhere.
std::string filter_compiler();

// The name of a system call: seccomp_syscall_resolve_num_arch(3), "mount"; of another ABI than this machine's own,
// "mount (x86)". A number without one: "system call 999". `arch`: AUDIT_ARCH_*.
std::string call_name(std::uint32_t arch, int number);

}  // namespace sandbox
