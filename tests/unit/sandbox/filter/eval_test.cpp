// The interpreter of compiled filters: what it answers, and what it refuses to run.
#include "sandbox/filter/eval.hpp"

#include <linux/audit.h>
#include <linux/filter.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <stdexcept>

#include "tests/support/catch.hpp"

using sandbox::answer_allowed;
using sandbox::answer_error;
using sandbox::evaluate;
using sandbox::FilterAnswer;
using sandbox::FilterProgram;

namespace {

FilterProgram program_of(std::initializer_list<sock_filter> instructions) {
    FilterProgram program;
    for (const sock_filter& one : instructions) {
        std::uint64_t encoded = 0;
        std::memcpy(&encoded, &one, sizeof(encoded));
        program.instructions.push_back(encoded);
    }
    return program;
}

constexpr sock_filter load_number = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
constexpr sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
constexpr sock_filter refuse = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);

seccomp_data call(int number) {
    seccomp_data data{};
    data.nr = number;
    return data;
}

}  // namespace

TEST_CASE("a filter's answer tells its action, its errno and whether the call is made", "[filter]") {
    CHECK(answer_allowed.permits());
    CHECK_FALSE(answer_allowed.error());
    CHECK(FilterAnswer{SECCOMP_RET_LOG}.permits());
    CHECK_FALSE(answer_error(EPERM).permits());
    CHECK(answer_error(EPERM).error() == EPERM);
    CHECK(answer_error(0).error() == 0);
    CHECK_FALSE(FilterAnswer{SECCOMP_RET_TRACE | 7U}.error());
    CHECK(FilterAnswer{SECCOMP_RET_TRACE | 7U}.data() == 7);
    CHECK(FilterAnswer{SECCOMP_RET_TRACE | 7U}.action() == SECCOMP_RET_TRACE);
    CHECK_FALSE(FilterAnswer{SECCOMP_RET_KILL_PROCESS}.permits());
    CHECK_FALSE(FilterAnswer{}.permits());
}

TEST_CASE("every jump of a filter goes where the kernel's does", "[filter]") {
    const auto [code, below, equal, above] = GENERATE(table<int, bool, bool, bool>({
        {BPF_JEQ, false, true, false},
        {BPF_JGT, false, false, true},
        {BPF_JGE, false, true, true},
        {BPF_JSET, true, true, false},  // 6 is 0110; 5 is 0101, 8 is 1000
    }));
    const sock_filter jump = {static_cast<std::uint16_t>(BPF_JMP | BPF_K | code), 0, 1, 6};
    const FilterProgram program = program_of({load_number, jump, allow, refuse});
    CHECK(evaluate(program, call(5)).permits() == below);
    CHECK(evaluate(program, call(6)).permits() == equal);
    CHECK(evaluate(program, call(8)).permits() == above);
}

TEST_CASE("a program that the kernel would refuse is not run", "[filter]") {
    const sock_filter over = BPF_STMT(BPF_JMP | BPF_JA, 7);
    const sock_filter outside = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sizeof(seccomp_data));
    const sock_filter uneven = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2);
    const sock_filter multiply = BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 2);
    CHECK_THROWS_AS(evaluate(program_of({}), call(0)), std::logic_error);
    CHECK_THROWS_AS(evaluate(program_of({load_number}), call(0)), std::logic_error);
    CHECK_THROWS_AS(evaluate(program_of({over, allow}), call(0)), std::logic_error);
    CHECK_THROWS_AS(evaluate(program_of({outside, allow}), call(0)), std::logic_error);
    CHECK_THROWS_AS(evaluate(program_of({uneven, allow}), call(0)), std::logic_error);
    CHECK_THROWS_AS(evaluate(program_of({multiply, allow}), call(0)), std::logic_error);
    CHECK(evaluate(program_of({allow}), call(0)) == answer_allowed);
}
