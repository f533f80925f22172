// Which answers of a filter are left to the supervisor: the part of "denials that explain themselves" that is decided
// before a jail starts. Pure; knows nothing of listeners (notify) or of what is made of a denial.
#pragma once
#include <linux/seccomp.h>

#include <string_view>

#include "sandbox/spec/spec.hpp"

namespace sandbox {

// The same filter, but every call that it answers with an error is left to the supervisor (SECCOMP_RET_USER_NOTIF,
// seccomp_unotify(2)), who gives the answer of the original. ENOSYS stays as it is: numbers that a filter does not know
// and clone3 are routine, asked by every program that starts a thread, and mean nothing. So does 0, by which a filter
// says that a call it does not make has been made.
FilterProgram report_denials(const FilterProgram& program);

// The same filter, but every call that it allows asks first. An empty filter allows everything. Three calls of this
// machine's own ABI are not asked about, since a payload makes them before anybody listens: execve, write, exit_group.
FilterProgram observe_calls(const FilterProgram& program);
inline constexpr std::string_view unobserved_calls[] = {"execve", "exit_group", "write"};

// The filter leaves an answer to the supervisor, so it needs a listener.
bool asks_supervisor(const FilterProgram& program);

// A call of this machine's own ABI with all arguments 0, for evaluate().
seccomp_data native_call(int number);

}  // namespace sandbox
