// The rewriting of compiled filters: the same answers, from less.
#include "sandbox/filter/shrink.hpp"

#include <linux/audit.h>
#include <linux/filter.h>

#include <array>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/filter/bpf.hpp"
#include "sandbox/filter/compile.hpp"
#include "sandbox/profile/permissions.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/sandbox/filter/bpf.hpp"

using sandbox::FilterProgram;
using sandbox::shrink_filter;

namespace {

constexpr std::array<std::uint32_t, 5> architectures = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, 0,
                                                        UINT32_MAX};

std::string shipped(const std::string& name) {
    std::ifstream file(std::string(STAGEBOX_SOURCE_DIR) + "/profiles/seccomp/" + name);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

FilterProgram compiled(const std::vector<std::string>& texts) {
    std::vector<FilterProgram> programs;
    programs.reserve(texts.size());
    for (const std::string& text : texts) {
        programs.push_back(sandbox::compile_filter(sandbox::os::Json::parse(text), 0));
    }
    return sandbox::chain_filters(programs);
}

// What the program compares numbers with, or arguments, and their neighbours: where an answer can change.
struct Words {
    std::set<std::uint64_t> numbers = {0, UINT32_MAX};
    std::set<std::uint64_t> arguments = {0, 1, UINT32_MAX};
};
Words interesting_words(const FilterProgram& program) {
    Words words;
    bool is_argument = false;
    for (const std::uint64_t encoded : program.instructions) {
        const sock_filter op = sandbox::decode_bpf(encoded);
        if (BPF_CLASS(op.code) == BPF_LD) is_argument = op.k >= offsetof(seccomp_data, args);
        if (BPF_CLASS(op.code) != BPF_JMP || BPF_OP(op.code) == BPF_JA) continue;
        for (const std::uint32_t word : {op.k - 1, op.k, op.k + 1}) {
            (is_argument ? words.arguments : words.numbers).insert(word);
        }
    }
    return words;
}

// Numbers 0 to 1100 and the interesting ones, each with each interesting word as each argument (the others zero, or all
// ones), in the low and in the high half.
void check_same(const FilterProgram& before, const FilterProgram& after) {
    Words words = interesting_words(before);
    for (std::uint32_t number = 0; number <= 1100; ++number) words.numbers.insert(number);
    for (const std::uint32_t architecture : architectures) {
        for (const std::uint64_t number : words.numbers) {
            seccomp_data data{};
            data.arch = architecture;
            data.nr = static_cast<int>(number);
            const auto check = [&] {
                if (evaluate(before, data) == evaluate(after, data)) return;
                CAPTURE(architecture, number, data.args[0], data.args[1], data.args[2]);
                CHECK(evaluate(before, data) == evaluate(after, data));
            };
            check();
            for (const std::uint64_t word : words.arguments) {
                for (const std::uint64_t value : std::array{word, word << 32U, word << 32U | 1U}) {
                    for (std::size_t argument = 0; argument < 3; ++argument) {
                        for (auto& other : data.args) other = word % 2 == 0 ? 0 : UINT64_MAX;
                        data.args[argument] = value;
                        check();
                    }
                }
            }
        }
    }
}

// Two arguments at a time, for calls whose rules look at two.
void check_same_pairs(const FilterProgram& before, const FilterProgram& after, std::uint32_t architecture, int number) {
    for (std::uint64_t first = 0; first < 70; ++first) {
        for (std::uint64_t third = 0; third < 270; ++third) {
            seccomp_data data{};
            data.arch = architecture;
            data.nr = number;
            data.args[0] = first;
            data.args[2] = third;
            if (!(evaluate(before, data) == evaluate(after, data))) {
                CAPTURE(architecture, number, first, third);
                CHECK(evaluate(before, data) == evaluate(after, data));
            }
        }
    }
}

FilterProgram program_of(const std::vector<sock_filter>& instructions) {
    FilterProgram program;
    for (const sock_filter& one : instructions) program.instructions.push_back(sandbox::encode_bpf(one));
    return program;
}

constexpr sock_filter load_number = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
constexpr sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
constexpr sock_filter refuse = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);

}  // namespace

TEST_CASE("the filters that ship answer the same when they are made small", "[filter]") {
    const FilterProgram before = compiled({shipped("mandatory.json"), shipped("build.json")});
    const FilterProgram after = shrink_filter(before);
    CHECK(after.instructions.size() <= 400);
    check_same(before, after);
    const FilterProgram strict = compiled({shipped("mandatory.json"), shipped("strict.json")});
    check_same(strict, shrink_filter(strict));
    const FilterProgram host = compiled({shipped("mandatory.json"), shipped("host.json")});
    check_same(host, shrink_filter(host));
    check_same_pairs(before, after, AUDIT_ARCH_X86_64, 41);
    check_same_pairs(before, after, AUDIT_ARCH_I386, 359);
    // Nothing is left to be made smaller.
    CHECK(shrink_filter(after).instructions.size() == after.instructions.size());
}

// The figures in filter/shrink.hpp, with room for other versions of libseccomp.
TEST_CASE("a jail's whole filter loses most of its instructions", "[filter]") {
    const FilterProgram fences = sandbox::compile_rules(sandbox::deny_rules({}));
    const auto sizes = [&](const std::string& name) {
        std::vector<FilterProgram> programs;
        for (const char* text : {"mandatory.json", name.c_str()}) {
            programs.push_back(sandbox::compile_filter(sandbox::os::Json::parse(shipped(text)), 0));
        }
        programs.insert(programs.begin() + 1, fences);
        const FilterProgram whole = sandbox::chain_filters(programs);
        return std::pair(whole.instructions.size(), shrink_filter(whole).instructions.size());
    };
    for (const auto& [name, percent] : {std::pair("build.json", 30), {"strict.json", 40}, {"host.json", 70}}) {
        const auto [before, after] = sizes(name);
        INFO(name << ": " << before << " -> " << after);
        CHECK(after * 100 < before * static_cast<std::size_t>(percent));
    }
}

TEST_CASE("every operator answers the same in a filter that was made small", "[filter]") {
    const FilterProgram before = compiled({R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], "syscalls": [
        {"names": ["dup"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 3, "op": "SCMP_CMP_EQ"},
            {"index": 0, "value": 4294967306, "op": "SCMP_CMP_GT"}]},
        {"names": ["dup3"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 3, "op": "SCMP_CMP_GE"},
            {"index": 1, "value": 18446744073709551615, "op": "SCMP_CMP_NE"}]},
        {"names": ["lseek"], "action": "SCMP_ACT_TRACE", "errnoRet": 9, "args": [
            {"index": 2, "value": 2, "op": "SCMP_CMP_LT"}]},
        {"names": ["fchmod"], "action": "SCMP_ACT_KILL_PROCESS", "args": [
            {"index": 1, "value": 2048, "valueTwo": 2048, "op": "SCMP_CMP_MASKED_EQ"}]},
        {"names": ["kill"], "action": "SCMP_ACT_TRAP", "args": [{"index": 1, "value": 9, "op": "SCMP_CMP_LE"}]},
        {"names": ["read", "write"], "action": "SCMP_ACT_LOG"}]})"});
    check_same(before, shrink_filter(before));
}

TEST_CASE("filters with lists at random answer the same when they are made small", "[filter]") {
    std::mt19937 random(20260701);
    for (int round = 0; round < 6; ++round) {
        std::vector<sock_filter> instructions = {load_number};
        for (int i = 0; i < 300; ++i) {
            const auto with = static_cast<std::uint32_t>(random() % 600);
            const auto test = std::array{BPF_JEQ, BPF_JGE, BPF_JGT}[random() % 3];
            const std::uint32_t answer = SECCOMP_RET_ERRNO | (random() % 4);
            // Mostly equalities: the other two end the list soon.
            const bool is_equality = random() % 16 != 0;
            const std::uint32_t high = is_equality ? with : 500 + with;
            instructions.push_back(
                BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | BPF_K | (is_equality ? BPF_JEQ : test)), high, 0, 1));
            instructions.push_back(BPF_STMT(BPF_RET | BPF_K, answer));
        }
        instructions.push_back(allow);
        const FilterProgram before = program_of(instructions);
        const FilterProgram after = shrink_filter(before);
        CHECK(after.instructions.size() <= before.instructions.size());
        for (std::uint32_t number = 0; number < 2000; ++number) {
            REQUIRE(test::run_filter(before, AUDIT_ARCH_X86_64, number) ==
                    test::run_filter(after, AUDIT_ARCH_X86_64, number));
        }
    }
}

TEST_CASE("a filter that cannot be made small comes back as it is", "[filter]") {
    const sock_filter odd_numbers = BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1);
    const FilterProgram by_bits = program_of({load_number, odd_numbers, allow, refuse});
    CHECK(shrink_filter(by_bits).instructions == by_bits.instructions);
    const sock_filter mask = BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 6);
    const FilterProgram masked =
        program_of({load_number, mask, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 1), allow, refuse});
    CHECK(shrink_filter(masked).instructions == masked.instructions);
    const FilterProgram shortest = program_of({allow});
    CHECK(shrink_filter(shortest).instructions == shortest.instructions);
    CHECK(shrink_filter({}).instructions.empty());
    CHECK_THROWS_AS(shrink_filter(program_of({load_number})), std::logic_error);
}
