// The rules for the single words of a pipeline file: names, variables, paths. Each function takes the
// value where it was written, so that its error points there. Knows no other stage and no file.
#pragma once
#include <string>
#include <string_view>
#include <unordered_map>

#include "sandbox/config/config.hpp"
#include "stages/pipeline/pipeline.hpp"

namespace stages {

Position position_of(sandbox::ConfigPosition at);
sandbox::ConfigPosition position_of(Position at);

// The names of stages, artifacts, variables and results, for name_fault() and for the schema.
inline constexpr std::string_view name_pattern = "^[a-z][a-z0-9-]{0,62}$";
// The same without the words that name roots.
inline constexpr std::string_view stage_name_pattern = "^(?!(host|empty)$)[a-z][a-z0-9-]{0,62}$";

// Why `name` cannot name a stage, an artifact, a variable or a result; empty where it can:
// ^[a-z][a-z0-9-]{0,62}$, so that a name is also a file's name, a word of a command line and a part of
// "stage.artifact".
std::string name_fault(std::string_view name);
// Throws, pointing at the key, where its name is not one. `what`: "a stage", "an artifact".
void check_name(const sandbox::ConfigTable& table, const sandbox::ConfigEntry& entry, std::string_view what);

using Variables = std::unordered_map<std::string, std::string>;

// The string with "${name}" replaced by the variable's value. "$${" stands for "${"; every other "$" for
// itself, so that a shell's $HOME and $(date) need no escape. Refuses NUL, which no path and no argument can
// hold.
std::string expand(const sandbox::ConfigValue& value, const Variables& variables);

// Why `path` is not a clean relative path, empty where it is: components without "." and "..", one slash
// between them, none at either end, no control characters.
std::string relative_path_fault(std::string_view path);

// Why an input cannot be shown at `target` in the jail, empty where it can.
std::string target_fault(std::string_view target);

// Bytes that are UTF-8 without NUL, as everything in a TOML file is and a word of the command line need not
// be.
bool is_text(std::string_view bytes);

}  // namespace stages
