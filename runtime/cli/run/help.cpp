#include "runtime/cli/run/help.hpp"

#include "runtime/cli/run/options.hpp"

namespace runtime::cli {

std::string run_help() {
    return R"(Usage: stagebox run [OPTIONS] [--] COMMAND [ARGUMENTS]

One command in a fresh jail: user, mount, PID, network, IPC, UTS and cgroup namespaces of its own, a system call
filter, few capabilities, no descriptors but 0, 1 and 2. The options are bubblewrap's, and work in the order in which
they stand. Without any that mounts, the jail's root is the host's /usr, read-only, with the few files of /etc that
programs need and a fresh /proc, /sys, /dev, /run and /tmp.

)" + help_of_rows(option_rows(Contract::stagebox)) +
           R"(
Exit codes: the command's own; 128+N when signal N ended it; 126 and 127 where it cannot be executed or found; 125 where
the jail could not be built.
)";
}

std::string bwrap_help() {
    return R"(usage: bwrap [OPTIONS...] [--] COMMAND [ARGS...]

Stagebox under the name of bubblewrap, with its options and its rules: what no option fences is the caller's.

)" + help_of_rows(option_rows(Contract::bubblewrap));
}

}  // namespace runtime::cli
