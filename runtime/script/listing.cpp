#include "runtime/script/listing.hpp"

#include <algorithm>
#include <array>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::script {

using sandbox::os::format;
using sandbox::os::Json;
using sandbox::os::printable;
using stages::script::Harm;
using stages::script::Rule;

namespace {

constexpr std::array harms{Harm::session, Harm::host, Harm::leftover};

std::string rule_text(const Rule& rule, const std::vector<Found>& all) {
    std::string text;
    for (const Found& found : all) {
        for (const Finding& finding : found.findings) {
            if (finding.rule != &rule) continue;
            text += format("{}:{}:{}: {}: {}\n", printable(found.script->name), finding.at.line, finding.at.column,
                           rule.name, printable(finding.command));
        }
    }
    return text.empty() ? text : text + format("  why: {}\n  instead: {}\n\n", rule.why, rule.instead);
}

std::size_t count(const std::vector<Found>& all, Harm harm) {
    std::size_t number = 0;
    for (const Found& found : all) {
        number += static_cast<std::size_t>(
            std::ranges::count_if(found.findings, [&](const Finding& one) { return one.rule->harm == harm; }));
    }
    return number;
}

}  // namespace

std::string hazards_text(const std::vector<Found>& all) {
    std::string text;
    for (const Harm harm : harms) {
        for (const Rule& rule : stages::script::rules()) {
            if (rule.harm == harm) text += rule_text(rule, all);
        }
    }
    return text;
}

std::string count_text(const std::vector<Found>& all) {
    std::string parts;
    std::size_t total = 0;
    for (const Harm harm : harms) {
        const std::size_t number = count(all, harm);
        total += number;
        if (number > 0) parts += format("{}{} {}", parts.empty() ? ": " : ", ", number, words_of(harm));
    }
    return format("{} hazard{}{}", total, total == 1 ? "" : "s", parts);
}

Json to_json(const std::vector<Found>& all) {
    Json list = Json::array();
    for (const Found& found : all) {
        for (const Finding& finding : found.findings) {
            constexpr std::array<std::string_view, 4> words{"session", "host", "leftover", "none"};
            list.push_back({{"file", found.script->name},
                            {"line", finding.at.line},
                            {"column", finding.at.column},
                            {"rule", finding.rule->name},
                            {"harm", words.at(static_cast<std::size_t>(finding.rule->harm))},
                            {"command", finding.command},
                            {"why", finding.rule->why},
                            {"instead", finding.rule->instead}});
        }
    }
    return list;
}

}  // namespace runtime::script
