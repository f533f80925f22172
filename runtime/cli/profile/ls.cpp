// `profile ls`: the profiles that ship.
#include <iostream>

#include "runtime/cli/commands.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/profile/embedded.hpp"
#include "sandbox/profile/profile.hpp"

namespace runtime::cli {
namespace {

struct NoWords {};

void declare(Options& /*options*/, NoWords& /*words*/) {}

int run(const NoWords& /*words*/) {
    for (const std::string_view name : sandbox::profile_names()) {
        std::cout << sandbox::os::format("{:<12}{}\n", name, sandbox::load_profile(std::string(name)).file.description);
    }
    return ExitCode::done;
}

}  // namespace

Command profile_ls_command() {
    return make_command<NoWords>("profile ls", "Name those that ship");
}

}  // namespace runtime::cli
