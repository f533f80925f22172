#!/bin/bash
# The part of try.sh that runs in the root of Debian 13, at /src: sets it up, builds, tests as root and as an ordinary
# user, and ends with what came of each step. Exits with 1 if one of them failed.
#
#   inside.sh gcc|clang
set -euo pipefail
cd /src
compiler=$1
build=build/debian13-$compiler
summary=()
failed=0

# step NAME COMMAND...: runs it, and keeps its name, its end and its seconds for the summary.
step() {
    local name=$1 begin=$SECONDS end=passed
    shift
    printf '\n== %s\n' "$name"
    "$@" || { end=FAILED failed=1; }
    summary+=("$(printf '%-34s %s  %4d s' "$name" "$end" $((SECONDS - begin)))")
    [ $end = passed ]
}

finish() {
    printf '\n== Debian %s, %s\n' "$(cat /etc/debian_version)" "$("${CXX:-c++}" --version | head -n 1)"
    printf '%s\n' "${summary[@]}"
    exit $failed
}

set_up() {
    scripts/setup --test || return
    # useradd gives a range of subordinate ids too (login.defs(5), SUB_UID_COUNT).
    id stagebox-test > /dev/null 2>&1 || useradd --create-home --shell /bin/bash --add-subids-for-system stagebox-test
}

compile() {
    cmake --preset dev -B "$build" && cmake --build "$build"
}

case $compiler in
    gcc) export CC=gcc CXX=g++ ;;
    clang) export CC=clang CXX=clang++ ;;
    *) echo "inside.sh: unknown compiler '$compiler'" >&2; exit 2 ;;
esac

step "set-up" set_up || finish
step "build of the program and its tests" compile || finish
step "layers" scripts/check-layers . || :
for suite in unit jail; do
    step "$suite tests as root" timeout 900 "$build/tests/$suite-tests" || :
done
for suite in unit jail; do
    step "$suite tests as an ordinary user" timeout 900 tests/support/as-user -- "$build/tests/$suite-tests" || :
done
finish
