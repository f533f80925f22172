// The program: command line in, exit code out. Under the name bwrap it takes bubblewrap's place.
#include "runtime/cli/command_line.hpp"
#include "runtime/cli/run/bwrap.hpp"
#include "sandbox/os/startup.hpp"

int main(int argc, char** argv) {
    sandbox::os::hear_of_children();
    if (argc > 0 && runtime::cli::is_bwrap(argv[0])) return runtime::cli::bwrap({argv + 1, argv + argc});
    return runtime::cli::run_command_line(argc, argv);
}
