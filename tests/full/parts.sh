# shellcheck shell=bash
# The parts of scripts/full, each a function; why each of them is no part of scripts/test stands beside it. They run where the
# source is. As root the same is tried as an ordinary user too, as in scripts/test.

# by_ctest PRESET ARGUMENTS...: some of the suite.
by_ctest() { ctest --preset "$1" "${@:2}"; }

# case_of SUITE NAME: one case of the preset dev, in a PID namespace of its own where root makes one: there are few processes
# then, and always the same. The shell waits for orphans, whose process ids would end.
case_of() {
    local command=("build/dev/tests/$1-tests" "$2")
    [ "$(id -u)" != 0 ] || command=(unshare --pid --fork --mount-proc bash -c '"$@"; exit $?' case "${command[@]}")
    "${command[@]}"
}
# user_case_of SUITE NAME: the same as the ordinary user.
user_case_of() {
    unshare --pid --fork --mount-proc bash -c '"$@"; exit $?' case tests/support/as-user build/dev/runtime/stagebox \
        build/dev/tests/probe/probe profiles stages -- "build/dev/tests/$1-tests" "$2"
}

# Every start of a program under AddressSanitizer takes 0.3 s longer, so three parts.
part asan "AddressSanitizer and UndefinedBehaviorSanitizer: all but whole builds, the ISO and the machine"
part_asan() { scripts/test --build asan && by_ctest asan --label-exclude 'iso|vm|pipeline' --exclude-regex '^as-user-pipeline'; }
part asan-pipeline "AddressSanitizer and UndefinedBehaviorSanitizer: whole builds"
part_asan-pipeline() { scripts/test --build asan && by_ctest asan --label-regex '^pipeline$'; }
if [ "$(id -u)" = 0 ]; then
    part asan-pipeline-as-user "the same as an ordinary user"
    part_asan-pipeline-as-user() { scripts/test --build asan && by_ctest asan --tests-regex '^as-user-pipeline'; }
fi

# clang-tidy reads every file with all that it includes: some 15 s a file.
part tidy "clang-tidy on the files of the program"
part_tidy() { scripts/test --build tidy stagebox -- -k 0; }
part tidy-tests "clang-tidy on the files of the tests"
part_tidy-tests() { scripts/test --build tidy all -- -k 0; }

# The longer a fuzzer runs the more it finds: scripts/test only runs over what was found before.
part fuzz "each fuzzer for 12 minutes, beginning with what was found before"
part_fuzz() {
    scripts/test --build fuzz || return
    local target
    mkdir -p build/fuzz/new
    for target in pipeline-file profile-file seccomp-json command-line; do printf '%s\n' "$target"; done |
        xargs -P 2 -I '{}' sh -c 'mkdir -p "build/fuzz/new/$1" && "build/fuzz/tests/fuzz/fuzz-$1" -max_total_time=720 \
            -print_final_stats=1 -artifact_prefix=build/fuzz/found- "build/fuzz/new/$1" "tests/fuzz/corpus/$1" \
            "tests/fuzz/regressions/$1" > "build/fuzz/$1.log" 2>&1 || { tail -n 40 "build/fuzz/$1.log"; exit 1; }' fuzz '{}' &&
        tail -n 3 build/fuzz/*.log
}

# A build for each system call that a build makes, some 2,000; scripts/test does so at 30 of them.
kill_supervisor='the supervisor is killed at any call of a build, nothing is left or lost'
kill_helpers='helpers and inits are killed at any call of a build, nothing is left or lost'
part kill-supervisor "the supervisor killed at each system call of a build"
part_kill-supervisor() { scripts/test --build dev && case_of pipeline "$kill_supervisor"; }
part kill-helpers "helpers and inits killed at each system call of a build"
part_kill-helpers() { scripts/test --build dev && case_of pipeline "$kill_helpers"; }
if [ "$(id -u)" = 0 ]; then
    part kill-supervisor-as-user "the same as an ordinary user"
    part_kill-supervisor-as-user() { scripts/test --build dev && user_case_of pipeline "$kill_supervisor"; }
    part kill-helpers-as-user "the same as an ordinary user"
    part_kill-helpers-as-user() { scripts/test --build dev && user_case_of pipeline "$kill_helpers"; }
    part power-cut "the power cut at each system call that changes the disk"
    part_power-cut() { scripts/test --build dev && case_of pipeline 'the power is cut at any call that changes the disk'; }
fi

# The whole built once more, by another compiler.
part clang "this Debian's clang: the program and its tests, unit and jail"
part_clang() {
    scripts/setup --test && CC=clang CXX=clang++ cmake --preset dev -B build/clang && cmake --build build/clang &&
        ctest --test-dir build/clang --output-on-failure --label-regex '^(unit|jail)$'
}
part debian13 "Debian 13 in a root of its own, GCC: build, and the tests that run in a jail"
part_debian13() { tests/debian13/try.sh; }
part debian13-clang "the same by clang"
part_debian13-clang() { tests/debian13/try.sh --compiler clang; }

# Measures, on a machine that does nothing else; says which goals are met.
part bench "how fast a jail and a build are, against their peers"
part_bench() {
    command -v jq > /dev/null || { echo "bench: jq is missing; apt-get install jq"; return 1; }
    scripts/bench
}
