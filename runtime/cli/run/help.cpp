#include "runtime/cli/run/help.hpp"

namespace runtime::cli {

const char* const run_help =
    R"(Usage: stagebox run [OPTIONS] [--] COMMAND [ARGUMENTS]

One command in a fresh jail: user, mount, PID, network, IPC, UTS and cgroup namespaces of its own, a system call filter,
few capabilities, no descriptors but 0, 1 and 2. The options are bubblewrap's, and work in the order in which they stand.
Without any that mounts, the jail's root is the host's /usr, read-only, with the few files of /etc that programs need and a
fresh /proc, /sys, /dev, /run and /tmp.

  --bind SRC DEST        Show SRC, writable
  --ro-bind SRC DEST     Show SRC, read-only
  --dev-bind SRC DEST    Show SRC, writable, with its device files
  --bind-try, --ro-bind-try, --dev-bind-try SRC DEST
                         The same, or nothing where there is no SRC
  --bind-fd, --ro-bind-fd FD DEST
                         Show the open directory or file FD
  --remount-ro DEST      Make the mount at DEST, and none below it, read-only
  --overlay-src SRC      A layer of the overlay that follows; the first is the lowest
  --overlay RWSRC WORKDIR DEST
                         The layers with RWSRC on top, which takes the changes
  --tmp-overlay DEST     The layers; changes are kept in memory and forgotten
  --ro-overlay DEST      The layers, read-only
  --tmpfs DEST           An empty file system in memory
  --proc DEST            The jail's own procfs
  --dev DEST             A minimal /dev
  --mqueue DEST          POSIX message queues
  --dir DEST             An empty directory
  --file FD DEST         A file with what can be read from FD
  --bind-data, --ro-bind-data FD DEST
                         The same, mounted over DEST
  --symlink TEXT DEST    A symbolic link
  --perms OCTAL          The mode of what the next option makes
  --size BYTES           The size of the next --tmpfs
  --chmod OCTAL PATH     Change the mode of PATH
  --setenv NAME VALUE    Set an environment variable
  --unsetenv NAME        Remove one
  --clearenv             Remove all (the default)
  --chdir DIR            The working directory
  --argv0 TEXT           The command's name, as it will see it
  --keepenv              Start from the caller's environment
  --hostname NAME        The jail's host name
  --root DIR|TAR|FILE:STAGE
                         What is the root: a directory, writable; an archive, unpacked for this run; what a stage of
                         a pipeline has made, changes forgotten. With /proc, /sys, /dev, /run and /tmp
  --uid, --gid ID        Which ids the command has
  --network none|user|host
                         No network (default), one of its own that reaches the host's, or the host's
  --share-net            As --network host
  --ids single|range     Which ids the jail has: the caller's alone (default), or a range from /etc/subuid
  --fakeroot, --no-fakeroot
                         With one id: owners and ids as a root with all ids sees them, or not (default)
  --profile NAME|FILE    What the jail allows (default: build)
  --cap-add, --cap-drop CAP
                         Give or take a capability, or ALL
  --args FD              More options, each ended by a NUL byte, from FD
  --seccomp FD           A system call filter, as seccomp(2) takes it, from FD
  --add-seccomp-fd FD    The same; may be given several times
  --sync-fd FD           Keep FD open as long as the jail has a process
  --block-fd FD          Wait until something can be read from FD
  --info-fd FD           Write the jail's process and namespaces to FD, as JSON
  --json-status-fd FD    The same, and the command's exit code, a line each
  --limit-time, --limit-idle VALUE
                         End the command after 90s, 30m, 2h; or after so long without output
  --limit-pids, --limit-memory, --limit-cpu, --limit-io-weight VALUE
                         What the jail may use at one time; kept by a cgroup, which doctor tries
  --limit-fallback WORD  Without one: refuse (the default), or rlimits, which count less
  --tty                  A terminal of the jail's own
  --report FILE          Write what was enforced to FILE, as JSON
  --timings              Say where the time of the start went
  --unshare-all, --unshare-user, --unshare-ipc, --unshare-pid, --unshare-net, --unshare-uts, --unshare-cgroup,
  --unshare-user-try, --unshare-cgroup-try, --die-with-parent, --new-session, --disable-userns, --assert-userns-disabled
                         Accepted; always so
  --version              The version
  -h, --help             This text

Exit codes: the command's own; 128+N when signal N ended it; 126 and 127 where it cannot be executed or found; 125 where
the jail could not be built.
)";

const char* const bwrap_help =
    R"(usage: bwrap [OPTIONS...] [--] COMMAND [ARGS...]

Stagebox under the name of bubblewrap, with its options and its rules: what no option fences is the caller's.

  --help                 This text
  --version              The version of bubblewrap whose options these are
  --level-prefix         Begin messages with their level, as <3>
  --unshare-user, --unshare-ipc, --unshare-pid, --unshare-net, --unshare-uts, --unshare-cgroup
                         A namespace of its own
  --unshare-user-try, --unshare-cgroup-try
                         The same where it is possible
  --unshare-all          All of these
  --share-net            Keep the network, after --unshare-all
  --userns FD            Enter the user namespace FD
  --userns2 FD           Enter the user namespace FD when all is mounted
  --pidns FD             Enter the PID namespace FD
  --disable-userns       No user namespaces inside
  --assert-userns-disabled
                         Fail if there could be user namespaces inside
  --uid, --gid ID        Which ids the command has
  --hostname NAME        A host name
  --bind SRC DEST        Show SRC, writable
  --ro-bind SRC DEST     Show SRC, read-only
  --dev-bind SRC DEST    Show SRC, writable, with its device files
  --bind-try, --ro-bind-try, --dev-bind-try SRC DEST
                         The same, or nothing where there is no SRC
  --bind-fd, --ro-bind-fd FD DEST
                         Show the open directory or file FD
  --remount-ro DEST      Make the mount at DEST, and none below it, read-only
  --overlay-src SRC      A layer of the overlay that follows; the first is the lowest
  --overlay RWSRC WORKDIR DEST
                         The layers with RWSRC on top, which takes the changes
  --tmp-overlay DEST     The layers; changes are kept in memory and forgotten
  --ro-overlay DEST      The layers, read-only
  --tmpfs DEST           An empty file system in memory
  --proc DEST            The jail's own procfs
  --dev DEST             A minimal /dev
  --mqueue DEST          POSIX message queues
  --dir DEST             An empty directory
  --file FD DEST         A file with what can be read from FD
  --bind-data, --ro-bind-data FD DEST
                         The same, mounted over DEST
  --symlink TEXT DEST    A symbolic link
  --perms OCTAL          The mode of what the next option makes
  --size BYTES           The size of the next --tmpfs
  --chmod OCTAL PATH     Change the mode of PATH
  --setenv NAME VALUE    Set an environment variable
  --unsetenv NAME        Remove one
  --clearenv             Remove all
  --chdir DIR            The working directory
  --argv0 TEXT           The command's name, as it will see it
  --cap-add, --cap-drop CAP
                         Give or take a capability, or ALL
  --args FD              More options, each ended by a NUL byte, from FD
  --seccomp FD           A system call filter, as seccomp(2) takes it, from FD
  --add-seccomp-fd FD    The same; may be given several times
  --sync-fd FD           Keep FD open as long as the jail has a process
  --block-fd FD          Wait until something can be read from FD
  --info-fd FD           Write the jail's process and namespaces to FD, as JSON
  --json-status-fd FD    The same, and the command's exit code, a line each
  --userns-block-fd FD   Wait until something can be read from FD; somebody else writes the id maps
  --lock-file DEST       Keep a read lock on DEST as long as the jail has a process
  --new-session          A session of its own
  --die-with-parent      End with the caller
  --as-pid-1             The command is process 1
  --exec-label, --file-label LABEL
                         SELinux labels; not supported
)";

}  // namespace runtime::cli
