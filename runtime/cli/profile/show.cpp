// `profile show`: the text of one profile.
#include <fcntl.h>

#include <iostream>
#include <stdexcept>

#include "runtime/cli/commands.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/profile/embedded.hpp"

namespace runtime::cli {

using sandbox::os::format;

namespace {

struct ShowWords {
    std::string name;
};

void declare(Options& options, ShowWords& words) {
    options.push_back({.names = "PROFILE", .into = &words.name, .doc = "Its name, or a file", .is_required = true});
}

int run(const ShowWords& words) {
    const std::string& name = words.name;
    if (name.find('/') != std::string::npos) {
        std::cout << sandbox::os::read_file(AT_FDCWD, name);
        return ExitCode::done;
    }
    for (const sandbox::EmbeddedFile& file : sandbox::embedded_files()) {
        if (file.name != name + ".toml") continue;
        std::cout << file.text;
        return ExitCode::done;
    }
    throw std::invalid_argument(format("no profile {} ships; stagebox profile ls names those that do", name));
}

}  // namespace

Command profile_show_command() {
    return make_command<ShowWords>("profile show", "Print one");
}

}  // namespace runtime::cli
