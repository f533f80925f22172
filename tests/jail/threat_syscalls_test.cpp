// Every system call number from 0 to 1023 in every ABI of the machine, against what the profile's own files and the
// kernel's headers say about it: profiles/seccomp/README.md has the contract.
#include <sys/syscall.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "sandbox/os/format.hpp"
#include "sandbox/os/json.hpp"
#include "tests/jail/jail.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;
using sandbox::os::format;
using sandbox::os::Json;

#if defined(__x86_64__)
namespace {

// From the headers of the C library: "#define __NR_read 0", or with "(__X32_SYSCALL_BIT + 0)".
std::map<int, std::string> numbers_of(const std::string& header) {
    std::ifstream file("/usr/include/x86_64-linux-gnu/asm/" + header);
    REQUIRE(file);
    std::map<int, std::string> names;
    for (std::string line; std::getline(file, line);) {
        std::istringstream fields(line);
        std::string define;
        std::string name;
        std::string rest;
        fields >> define >> name;
        std::getline(fields, rest);
        if (define != "#define" || !name.starts_with("__NR_")) continue;
        const std::size_t digit = rest.find_last_not_of("0123456789)");
        names[std::stoi(rest.substr(digit + 1))] = name.substr(5);
    }
    return names;
}

// What a file of the profile says about a name: each answer that one of its rules can give.
using Answers = std::map<std::string, std::set<std::string>>;

void read_rules(const std::string& name, Answers& answers) {
    std::ifstream file(std::string(STAGEBOX_SOURCE_DIR) + "/profiles/seccomp/" + name);
    REQUIRE(file);
    const Json rules = Json::parse(file);
    for (const Json& rule : rules.at("syscalls")) {
        const bool allows = rule.at("action") == "SCMP_ACT_ALLOW";
        const int error = rule.contains("errnoRet") ? rule.at("errnoRet").get<int>() : EPERM;
        for (const Json& call : rule.at("names")) {
            std::set<std::string>& mine = answers[call.get<std::string>()];
            mine.insert(allows ? "allowed" : strerrorname_np(error));
            // Where no condition holds, the default answers.
            if (rule.contains("args") && allows) mine.insert("ENOSYS");
        }
    }
}

std::map<int, std::string> answers_in_jail(const std::string& ids, const Words& abi) {
    const Result asked = probe(ids, join(join({"syscall"}, abi), {"0-1023"}));
    std::map<int, std::string> answers;
    std::istringstream lines(asked.out);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t equals = line.find('=');
        if (equals == std::string::npos || line.find_first_not_of("0123456789") != equals) continue;
        answers.emplace(std::stoi(line.substr(0, equals)), line.substr(equals + 1));
    }
    return answers;
}

// uretprobe and uprobe of x86-64: no filter sees them since Linux 6.14 (seccomp passes them on), and outside of a
// tracer's trampoline they do nothing but refuse or end the caller.
bool is_beyond_filters(const Words& abi, int number) {
    return abi.empty() && (number == 335 || number == 336);
}

void check_abi(const std::string& ids, const Words& abi, const std::string& header) {
    const std::map<int, std::string> names = numbers_of(header);
    Answers rules;
    read_rules("build.json", rules);
    Answers guard;
    read_rules("mandatory.json", guard);
    std::map<int, std::string> answers = answers_in_jail(ids, abi);
    int forbidden = 0;
    int allowed = 0;
    for (int number = 0; number < 1024; ++number) {
        if (is_beyond_filters(abi, number)) continue;
        const auto name = names.find(number);
        const std::string call = name == names.end() ? "" : name->second;
        INFO(number << " " << call << ": " << answers[number]);
        const auto rule = rules.find(call);
        // Never a signal: a program that asks must be able to go on.
        CHECK(answers[number] != format("signal {}", 31));
        if (call.empty() || rule == rules.end()) {
            CHECK(answers[number] == "ENOSYS");
            ++forbidden;
        } else if (!rule->second.contains("allowed")) {
            CHECK(rule->second.contains(answers[number]));
            ++forbidden;
        } else {
            ++allowed;
        }
    }
    INFO(allowed << " allowed, " << forbidden << " forbidden");
    CHECK(forbidden > 600);
    CHECK(allowed > 100);
}

}  // namespace

TEST_CASE("numbers 0 to 1023 answer as the profile says, 64 bit", "[threat][syscalls]") {
    check_abi("single", {}, "unistd_64.h");
}

TEST_CASE("numbers 0 to 1023 answer as the profile says, 32 bit", "[threat][syscalls]") {
    if (probe_outside({"syscall", "--i386", "20"}).code != 0) {
        unavailable("32-bit system calls");
        return;
    }
    check_abi("single", {"--i386"}, "unistd_32.h");
}

TEST_CASE("numbers 0 to 1023 are unknown or closed in the x32 ABI", "[threat][syscalls]") {
    const std::map<int, std::string> answers = answers_in_jail("single", {"--x32"});
    CHECK(answers.size() == 1024);
    for (const auto& [number, answer] : answers) {
        if (number == SYS_vfork) continue;  // which the probe does not ask
        INFO(number);
        // EPERM where a fence of the profile stands, which is the same in every ABI.
        CHECK((answer == "ENOSYS" || answer == "EPERM"));
    }
}

TEST_CASE("numbers with high bits set are no way around", "[threat][syscalls]") {
    const auto answer_to = [](const std::string& number) {
        return value_of(probe("single", {"syscall", number}).out, number);
    };
    // mount, ptrace and unshare, with bits above the number that the kernel cuts off or takes for another ABI.
    for (const long number : {SYS_mount, SYS_ptrace, SYS_unshare, SYS_keyctl}) {
        for (const long bits : {0x80000000L, 0x40000000L, 0xC0000000L}) {
            INFO(number << " " << bits);
            const std::string asked = format("{}", number | bits);
            const std::string answer = answer_to(asked);
            CHECK((answer == "ENOSYS" || answer == "EPERM"));
        }
    }
    CHECK(answer_to(format("{}", SYS_getuid)) == "0");
}
#endif
