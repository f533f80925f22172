// What happens inside a jail's network namespace, in short-lived processes of ours, for the network `user`. Knows
// nothing of pasta.
#pragma once
#include <sys/types.h>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/process.hpp"

namespace runtime::jail {

struct Namespaces {
    sandbox::os::Fd user;
    sandbox::os::Fd network;
};

// Of a process of ours or of a jail. Throws SysError.
Namespaces open_namespaces(pid_t pid);

// In a child, before anything else: the root of the jail's user namespace, alone, and gone with its parent. Ends the
// process where that cannot be.
void become_jail_root(const sandbox::os::Fd& user, pid_t parent);

// A process that does nothing but be in the jail's network namespace, without any capability, so that pasta, which
// keeps few itself, may open that namespace by way of it (ptrace(2), "Ptrace access mode checking"). Before that it
// makes a socket there that tells of new routes.
struct Holder {
    sandbox::os::Child process;
    sandbox::os::Fd routes;  // netlink(7), not blocking
};
Holder start_holder(const Namespaces& namespaces);

// Blocks what leaves by `interface`, an index in the jail, for addresses that outside mean the host's own loopback
// device. Throws SysError; EPROTONOSUPPORT: the kernel has no xfrm.
void close_way_to_loopback(const Namespaces& namespaces, int interface);

}  // namespace runtime::jail
