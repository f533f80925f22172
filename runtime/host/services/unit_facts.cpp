#include "runtime/host/services/unit_facts.hpp"

#include "sandbox/os/format.hpp"

namespace runtime::host {

using sandbox::os::format;

std::string_view name_of(Manager manager) {
    return manager == Manager::user ? "user" : "system";
}

std::string called(Manager manager, std::string_view unit) {
    return format("the {}unit {}", manager == Manager::user ? "user's " : "", unit);
}

std::string systemctl(Manager manager, std::string_view verb, std::string_view unit) {
    // Only what changes something takes rights.
    const bool changes = verb != "status" && verb != "cat";
    const char* program = manager == Manager::user ? "systemctl --user" : changes ? "sudo systemctl" : "systemctl";
    return format("{} {} {}", program, verb, unit);
}

}  // namespace runtime::host
