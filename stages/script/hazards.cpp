#include "stages/script/hazards.hpp"

#include <algorithm>

namespace stages::script {
namespace {

constexpr std::size_t longest_shown = 100;

std::string on_one_line(std::string_view text) {
    std::string line;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool is_blank = text[i] == '\n' || text[i] == '\t' || text[i] == ' ' ||
                              (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '\n');
        if (!is_blank) {
            line += text[i];
        } else if (!line.empty() && line.back() != ' ') {
            line += ' ';
        }
    }
    if (line.size() <= longest_shown) return line;
    // Not in the middle of a character.
    std::size_t end = longest_shown - 4;
    while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0U) == 0x80U) --end;
    return line.substr(0, end) + " ...";
}

void add(const Script& script, const Surroundings& around, const Command& command, std::vector<Finding>& all) {
    const Rule* rule = rule_for(command, around);
    if (rule == nullptr) return;
    std::string shown = on_one_line(script.slice(command.span));
    if (command.program == ">") shown = "> " + shown;
    all.push_back({rule, command.span, script.at(command.span.begin), std::move(shown), command.is_verbatim});
}

bool works(Unless unless, const StageTerms& terms) {
    switch (unless) {
        case Unless::never: return false;
        case Unless::mounts_allowed: return terms.allows_mounts;
        case Unless::namespaces_allowed: return terms.allows_namespaces;
        case Unless::single_id: return terms.has_single_id;
        case Unless::own_root: return !terms.is_on_host;
    }
    return false;
}

}  // namespace

std::vector<Finding> find_all(const Script& script) {
    const Surroundings around = surroundings_of(script);
    std::vector<Finding> all;
    for (const Command& command : commands_of(script)) add(script, around, command, all);
    for (const Write& write : script.writes) add(script, around, command_of(write), all);
    std::ranges::stable_sort(all, [](const Finding& a, const Finding& b) { return a.span.begin < b.span.begin; });
    return all;
}

std::vector<Finding> find_hazards(const Script& script) {
    std::vector<Finding> all = find_all(script);
    std::erase_if(all, [](const Finding& finding) { return finding.rule->harm == Harm::none; });
    return all;
}

std::vector<Finding> find_stage_problems(const Script& script, const StageTerms& terms) {
    std::vector<Finding> all = find_all(script);
    std::erase_if(all, [&](const Finding& finding) {
        return finding.rule->in_stage.empty() || works(finding.rule->unless, terms);
    });
    return all;
}

}  // namespace stages::script
