#include "runtime/jail/denial_lesson.hpp"

#include <algorithm>
#include <cerrno>

#include "sandbox/filter/denials.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::jail {

using sandbox::os::format;
using sandbox::os::Json;
using sandbox::os::printable;

namespace {

// A basic string of TOML: quotes and backslashes escaped, control characters gone.
std::string quoted(const std::string& text) {
    std::string inner;
    for (const char letter : printable(text)) {
        if (letter == '"' || letter == '\\') inner += '\\';
        inner += letter;
    }
    return format("\"{}\"", inner);
}

// Each line of the text behind a "#".
std::string comment(std::string_view text) {
    std::string lines;
    for (std::size_t start = 0; start <= text.size();) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        lines += format("#     {}\n", printable(text.substr(start, end - start)));
        start = end + 1;
    }
    return lines;
}

Json rule(const std::string& comment, const std::vector<std::string>& names) {
    return {{"comment", comment}, {"names", names}, {"action", "SCMP_ACT_ALLOW"}};
}

}  // namespace

void Lesson::saw(std::string_view call, const std::string& process) {
    const std::string name(call.substr(0, call.find(' ')));
    // "system call 999": it has no name by which a profile could allow it.
    if (name == "system") return;
    const std::vector<std::string> always = always_allowed();
    if (std::ranges::find(always, name) != always.end()) return;
    calls_.try_emplace(name, process);
}

std::vector<std::string> always_allowed() {
    std::vector<std::string> names(std::begin(sandbox::unobserved_calls), std::end(sandbox::unobserved_calls));
    names.insert(names.end(), {"clock_getres", "clock_gettime", "exit", "getcpu", "gettimeofday", "restart_syscall",
                               "rt_sigreturn", "sigreturn", "time"});
    std::ranges::sort(names);
    return names;
}

std::string profile_text(const LearnedFrom& from) {
    std::string text = format(
        "# What this command was seen to need, and nothing else:\n"
        "#     {}\n"
        "# It ran under the profile {}, whose filters still come first: {} only takes away from what they allow.\n"
        "# A path that the command did not take that day may need more: run it with this profile, and a denial says "
        "which\n"
        "# call to add. Capabilities are those of {}: which ones a command makes use of cannot be seen from outside.\n",
        printable(from.command), printable(from.base), printable(from.own_filter), printable(from.base));
    if (!from.denied.empty()) {
        text += "#\n# Denied while it ran, and still denied:\n";
        for (const std::string& line : from.denied) text += comment(line);
    }
    text += format("name = {}\ndescription = {}\nextends = {}\n", quoted(from.name),
                   quoted(format("The system calls that {} was seen to make.", from.command)), quoted(from.base));
    std::string filters;
    for (const std::string& filter : from.base_filters) filters += quoted(filter) + ", ";
    return text + format("seccomp = [{}{}]\n", filters, quoted(from.own_filter));
}

// One rule for each program that was the first to make its calls: who reads it sees what each one brought.
std::string filter_text(const Lesson& lesson) {
    std::map<std::string, std::vector<std::string>> by_process;
    for (const auto& [call, process] : lesson.calls()) by_process[process].push_back(call);
    Json rules = Json::array();
    rules.push_back(
        rule("Always: to start, to end, to come back from a signal, and what the vDSO may leave to the kernel.",
             always_allowed()));
    for (const auto& [process, calls] : by_process) {
        rules.push_back(rule(format("First made by {}.", printable(process)), calls));
    }
    const auto architecture = [](const char* native, const char* other) -> Json {
        return {{"architecture", native}, {"subArchitectures", Json::array({other})}};
    };
    Json filter = {{"defaultAction", "SCMP_ACT_ERRNO"}, {"defaultErrnoRet", EPERM}};
    filter["archMap"] = Json::array(
        {architecture("SCMP_ARCH_X86_64", "SCMP_ARCH_X86"), architecture("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM")});
    filter["syscalls"] = std::move(rules);
    return filter.dump(4, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace runtime::jail
