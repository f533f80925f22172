// What is known of programs that build scripts call: the Debian package that has one, whether it asks the network,
// whether it changes anything.
#pragma once
#include <string_view>

#include "stages/script/commands.hpp"

namespace stages::script {

// Empty where it is not known, or every Debian has it.
std::string_view package_of(std::string_view program);
// Fetches something: debootstrap, apt-get install, wget, git clone.
bool asks_network(const Command& command);
// Looks, computes or talks: settings, tests, messages. A function of the script is not quiet by itself.
bool is_quiet(std::string_view program);

}  // namespace stages::script
