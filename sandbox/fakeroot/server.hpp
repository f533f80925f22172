// A fakeroot for a jail with one uid. There, the jail's 0 is the caller and no other id exists, so chown(2),
// setuid(2) and mknod(2) of devices cannot be made. With the view they are answered as a real root would see them, and
// stat(2), getuid(2) and their kin show what was answered: to every process of the jail, also after exec, and through
// the layer to later stages (fakeroot/owner.hpp). dpkg and apt need no more to install packages whose files and
// services have users of their own.
//
// A process beside the jail answers: it stands in the jail's user and mount namespaces, but not in its PID namespace,
// where the payload could reach it. It is asked by seccomp's user notification (seccomp_unotify(2)).
//
// This is a convenience, not a boundary: whoever a process believes to be, the kernel gives it the rights of the one
// uid. A service that became "postgres" can read what belongs to "root".
#pragma once
#include "sandbox/os/fd.hpp"
#include "sandbox/os/process.hpp"
#include "sandbox/spec/spec.hpp"

namespace sandbox {

// The process that answers.
struct FakerootServer {
    os::Child process;
    // What is asked and is none of the view's business, because `profile` denies it: each message is one Notice, to be
    // answered over the jail's listener. Closed: the view itself answers with the errno of the profile.
    os::Fd passed_on;
};

// `listener` is the jail's, of a filter made by view::with_questions(profile). The process must have one thread.
FakerootServer start_fakeroot(int listener, const FilterProgram& profile);

}  // namespace sandbox
