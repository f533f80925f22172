#include "runtime/cli/unknown_word.hpp"

#include "sandbox/config/text.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::cli {
namespace {

std::string has_no(const std::string& command, const char* kind, std::string_view word,
                   const std::vector<std::string>& candidates) {
    const std::vector<std::string_view> views(candidates.begin(), candidates.end());
    const std::string meant = sandbox::did_you_mean(word, views);
    const std::string problem = sandbox::os::format("{} has no {} {}", command, kind, sandbox::quote(word));
    return meant.empty() ? problem : sandbox::os::format("{}: {}", problem, meant);
}

}  // namespace

std::string unknown_word(const KnownWords& known, std::string_view word) {
    // Without the value of --option=value.
    if (word.starts_with("-")) return has_no(known.command, "option", word.substr(0, word.find('=')), known.options);
    if (!known.commands.empty()) return has_no(known.command, "command", word, known.commands);
    return sandbox::os::format("{} is one word too many for {}", sandbox::quote(word), known.command);
}

}  // namespace runtime::cli
