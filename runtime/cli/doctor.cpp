// `doctor`: what this machine allows, and the command that mends what it does not. Shows what probes find; probes
// nothing itself.

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "runtime/cli/commands.hpp"
#include "runtime/jail/cgroups.hpp"
#include "runtime/jail/user_network.hpp"
#include "runtime/script/parser.hpp"
#include "runtime/store/store.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/probe/probe.hpp"

namespace runtime::cli {
namespace {

using sandbox::Finding;
using sandbox::Status;
using sandbox::os::format;
using sandbox::os::Json;

const char* word_for(Status status) {
    constexpr std::array words{"ok", "limited", "missing"};
    return words.at(static_cast<std::size_t>(status));
}

// locale(7): the first of these that is set names the character set.
bool has_utf8_locale() {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const char* value = std::getenv(name);
        if (value == nullptr || *value == '\0') continue;
        std::string text = value;
        std::transform(text.begin(), text.end(), text.begin(),
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
        return text.find("utf-8") != std::string::npos || text.find("utf8") != std::string::npos;
    }
    return false;
}

const char* mark_for(Status status, bool utf8) {
    constexpr std::array signs{"✓", "!", "✗"};
    constexpr std::array letters{"ok", "! ", "--"};
    return (utf8 ? signs : letters).at(static_cast<std::size_t>(status));
}

std::string verdict(const std::vector<Finding>& findings) {
    if (!sandbox::usable(findings)) return "Jails cannot be made here until what is marked as missing is mended.";
    const bool whole = std::all_of(findings.begin(), findings.end(),
                                   [](const Finding& finding) { return finding.status == Status::ok; });
    return whole ? "Everything works." : "Jails work here; what is marked with ! is limited.";
}

std::string to_text(const std::vector<Finding>& findings) {
    const bool utf8 = has_utf8_locale();
    std::size_t width = 0;
    for (const Finding& finding : findings) width = std::max(width, finding.name.size());
    std::string text;
    for (const Finding& finding : findings) {
        const char* mark = mark_for(finding.status, utf8);
        text += format("{} {:<{}}  {}\n", mark, finding.name, width, finding.problem.what);
        if (finding.status == Status::ok || finding.problem.remedy.empty()) continue;
        text += format("{:{}}{} {}\n", "", width + (utf8 ? 4 : 5), utf8 ? "→" : "->", finding.problem.remedy);
    }
    return text + verdict(findings) + "\n";
}

Json to_json(const std::vector<Finding>& findings) {
    Json list = Json::array();
    for (const Finding& finding : findings) {
        list.push_back({{"name", finding.name},
                        {"status", word_for(finding.status)},
                        {"detail", finding.problem.what},
                        {"remedy", finding.problem.remedy}});
    }
    return {{"usable", sandbox::usable(findings)}, {"findings", std::move(list)}};
}

struct DoctorWords {
    std::string store;  // where layers are kept, or would be; empty: the default
    OutputFormat format = OutputFormat::text;
};

void declare(Options& options, DoctorWords& words) {
    declare_store(options, words.store);
    declare_json(options, words.format);
}

int run(const DoctorWords& words) {
    std::vector<Finding> findings =
        sandbox::probe_machine(words.store.empty() ? store::Store::default_path() : words.store);
    findings.push_back(jail::probe_cgroups());
    findings.push_back(jail::probe_user_network());
    findings.push_back(script::probe_parser());
    const std::string text = words.format == OutputFormat::json ? to_json(findings).dump(2) + "\n" : to_text(findings);
    std::fputs(text.c_str(), stdout);
    return sandbox::usable(findings) ? ExitCode::done : ExitCode::answer_is_no;
}

}  // namespace

Command doctor_command() {
    return make_command<DoctorWords>("doctor", "What this machine allows, and how to mend what it does not");
}

}  // namespace runtime::cli
