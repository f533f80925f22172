// What in a build script can harm the session that it runs in, and what does not work in a stage: one table. A rule
// looks at one command and its surroundings; it says why, and what takes the command's place.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "stages/script/surroundings.hpp"

namespace stages::script {

// What a command can do to the host that runs it outside of a jail, the worst first.
enum class Harm : std::uint8_t {
    session,   // end the user's session or take its ground away
    host,      // change the host beyond the build
    leftover,  // leave something behind when the script ends early
    none,      // nothing; but it does not work in a stage
};
std::string_view words_of(Harm harm);

// With what a command works in a stage after all.
enum class Unless : std::uint8_t { never, mounts_allowed, namespaces_allowed, single_id, own_root };

// What `import` makes of the command in the stage scripts that it writes.
enum class Carried : std::uint8_t {
    as_it_is,
    as_no_op,        // ":" before it: its words stay, and do nothing
    without_itself,  // only the command that it runs: `sudo X` becomes `X`
};

// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order in which the table is read
struct Rule {
    std::string_view name;
    Harm harm = Harm::none;
    bool (*matches)(const Command& command, const Surroundings& around) = nullptr;
    std::string_view why;       // it is a hazard outside of a jail
    std::string_view instead;   // what takes its place in Stagebox
    std::string_view in_stage;  // what happens in a stage's jail; empty: what was meant, or nothing that matters
    Unless unless = Unless::never;
    Carried carried = Carried::as_it_is;
};

// Of those that match a command, the first counts.
std::span<const Rule> rules();
const Rule* rule_for(const Command& command, const Surroundings& around);
// The command as which a redirection to a file is looked at: ">" and the file.
Command command_of(const Write& write);

}  // namespace stages::script
