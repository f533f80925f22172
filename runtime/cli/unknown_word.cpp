#include "runtime/cli/unknown_word.hpp"

#include <algorithm>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::cli {
namespace {

using sandbox::os::format;

std::string has_no(const std::string& command, const char* kind, std::string_view word, const std::string& meant) {
    const std::string problem = format("{} has no {} {}", command, kind, sandbox::os::quote(word));
    return meant.empty() ? problem : format("{}: {}", problem, meant);
}

std::string meant_by(std::string_view word, const std::vector<std::string>& candidates) {
    const std::vector<std::string_view> views(candidates.begin(), candidates.end());
    return sandbox::os::did_you_mean(word, views);
}

std::string command_meant_by(std::string_view word, const KnownWords& known) {
    const auto former = std::ranges::find(known.former_names, word, &FormerName::was);
    if (former != known.former_names.end()) return format("it is called {} now", sandbox::os::quote(former->is));
    return meant_by(word, known.commands);
}

}  // namespace

std::string unknown_word(const KnownWords& known, std::string_view word) {
    if (word.starts_with("-")) {
        const std::string_view option = word.substr(0, word.find('='));  // without the value of --option=value
        return has_no(known.command, "option", option, meant_by(option, known.options));
    }
    if (!known.commands.empty()) return has_no(known.command, "command", word, command_meant_by(word, known));
    return format("{} is one word too many for {}", sandbox::os::quote(word), known.command);
}

}  // namespace runtime::cli
