// The program: command line in, exit code out. What goes wrong on the way is caught here, once.
#include "runtime/cli/command_line.hpp"

int main(int argc, char** argv) {
    return runtime::cli::run_command_line(argc, argv);
}
