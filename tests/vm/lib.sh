# shellcheck shell=bash
# What the cases share: . /vm/lib.sh at their beginning. Each begins in an empty directory of its own, on the disk.
set -euo pipefail

die() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
ok() { printf 'ok: %s\n' "$*"; }

work=$(mktemp -d "$HOME/${0##*/}.XXXXXX")
cd "$work"
export STAGEBOX_STORE=$work/store NO_COLOR=1
# shellcheck disable=SC2046  # one word for each
trap 'kill -KILL $(jobs -p) 2> /dev/null || :' EXIT

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $until ] || return 1
        sleep 0.2
    done
}

# untouched LOG: the receipt of this build is clean.
untouched() { grep -q '^receipt: host session untouched: .* no process of ours left' "$1" || { cat "$1"; die "the receipt is not clean"; }; }

# as_tester COMMAND...: for root, as tester, who has logged in somewhere.
as_tester() {
    runuser -u tester -- env XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus "$@"
}
