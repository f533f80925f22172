// The options of `stagebox run` and of bwrap, from words to values. Reads the descriptors and looks at the paths that
// they name; starts nothing.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/cli/help_rows.hpp"
#include "runtime/cli/run/contract.hpp"
#include "sandbox/spec/spec.hpp"

namespace runtime::cli {

enum class Wants : std::uint8_t { command, help, version };

// A variable's name and value, in the order in which the command will see them.
using Environment = std::vector<std::pair<std::string, std::string>>;

// What the options say.
struct RunRequest {
    Wants wants = Wants::command;
    std::variant<sandbox::BuildSpec, sandbox::BubblewrapSpec> spec;  // as the contract is
    sandbox::Command command;
    // What --cap-add and --cap-drop change; the one that comes later wins.
    std::uint64_t added_capabilities = 0;
    std::uint64_t dropped_capabilities = 0;
    bool changes_capabilities = false;
    std::vector<sandbox::FilterProgram> filters;
    int info_fd = -1;
    int json_status_fd = -1;
    int userns_block_fd = -1;
    int block_fd = -1;
    int sync_fd = -1;
    bool has_level_prefix = false;
    std::vector<std::string> warnings;

    // Of stagebox's own options.
    sandbox::IdMode ids = sandbox::IdMode::single;
    std::string profile = "build";
    std::string hostname;  // empty: the profile's
    std::string root;      // as --root says it; empty: none
    std::vector<sandbox::Mount> mounts_in_root;
    std::string report;  // a file for what was enforced
    bool has_terminal = false;
    bool has_timings = false;

    // Of either contract.
    [[nodiscard]] sandbox::Spec& any_spec() {
        return std::visit([](auto& kind) -> sandbox::Spec& { return kind; }, spec);
    }
    // Under stagebox's contract.
    [[nodiscard]] sandbox::BuildSpec& build_spec() { return std::get<sandbox::BuildSpec>(spec); }
    [[nodiscard]] const sandbox::BuildSpec& build_spec() const { return std::get<sandbox::BuildSpec>(spec); }
    // Under bubblewrap's.
    [[nodiscard]] sandbox::BubblewrapSpec& bubblewrap_spec() { return std::get<sandbox::BubblewrapSpec>(spec); }
    [[nodiscard]] const sandbox::BubblewrapSpec& bubblewrap_spec() const {
        return std::get<sandbox::BubblewrapSpec>(spec);
    }
};

// Throws std::invalid_argument for what is no option, lacks its value, or has a wrong one.
RunRequest parse_run(const std::vector<std::string>& arguments, Contract contract = Contract::stagebox);

// Those options, for a help: first those that make mounts.
std::vector<HelpRow> option_rows(Contract contract);

}  // namespace runtime::cli
