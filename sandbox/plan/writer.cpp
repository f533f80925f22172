#include "sandbox/plan/writer.hpp"

#include <algorithm>

namespace sandbox {

using os::format;

void check_text(std::string_view what, std::string_view text) {
    if (text.find('\0') != std::string_view::npos) {
        throw PlanError(format("{} has a NUL byte: system calls would see only what is before it", what));
    }
}

void PlanWriter::check_source(std::string_view source) {
    check_text("a mount's source", source);
    if (source.empty() || source.front() != '/') {
        throw PlanError(format("the source \"{}\" is not an absolute path", source));
    }
}

void add_names(PlanWriter& to, const Spec& spec) {
    if (spec.network != Network::host) to.add(step::BringLoopbackUp{});
    if (!spec.hostname.empty()) to.add(step::SetHostName{to.keep_bytes(spec.hostname)});
}

namespace {

std::vector<std::string> places_of(const Command& command, std::string_view fallback_path) {
    const std::string& program = command.program.empty() ? command.argv.front() : command.program;
    if (program.find('/') != std::string::npos) return {program};
    std::string path(fallback_path);
    for (const auto& [name, value] : command.env) {
        if (name == "PATH") path = value;
    }
    std::vector<std::string> places;
    for (std::size_t start = 0; start <= path.size();) {
        const std::size_t end = std::min(path.find(':', start), path.size());
        const std::string_view directory = end == start ? "." : std::string_view(path).substr(start, end - start);
        places.push_back(format("{}/{}", directory, program));
        start = end + 1;
    }
    return places;
}

}  // namespace

void add_command(Plan& plan, const Command& command, std::string_view fallback_path) {
    if (command.argv.empty() || command.argv.front().empty()) throw PlanError("there is no command to run");
    for (const std::string& argument : command.argv) check_text("an argument of the command", argument);
    plan.argv = command.argv;
    for (const auto& [name, value] : command.env) {
        check_text("the environment", name);
        check_text("the environment", value);
        plan.envp.push_back(format("{}={}", name, value));
    }
    plan.executables = places_of(command, fallback_path);
    check_text("the working directory", command.cwd);
    plan.cwd = command.cwd;
    plan.uid = command.uid;
    plan.gid = command.gid;
}

}  // namespace sandbox
