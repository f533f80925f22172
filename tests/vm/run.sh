#!/bin/bash
# Tests in a machine of their own, with systemd, logind, dbus, sshd and the second version of cgroups: a small Debian that
# Stagebox makes (stagebox.toml) and QEMU boots once for all cases. Under KVM where that works, else emulated.
#
#   tests/vm/run.sh                     all of tests/vm/cases
#   tests/vm/run.sh --case NAME         one of them; may be given more than once
#   tests/vm/run.sh --shell             a terminal in the machine, as root; "poweroff" or Ctrl-A X ends it
#   tests/vm/run.sh --program STAGEBOX  the program under test; build/dev/runtime/stagebox if not given
#   tests/vm/run.sh --logs DIR          where the logs go; else vm-logs in the build folder of the program's
#
# Program, cases and frame are on a second disk, so none of them needs another image. Image and store are kept in
# ~/.cache/stagebox-tests (XDG_CACHE_HOME).
set -euo pipefail

here=$(dirname "$(realpath "$0")")
source=$(realpath "$here/../..")
program=$source/build/dev/runtime/stagebox
logs='' shell='' cases=()
while [ $# != 0 ]; do
    case $1 in
        --case) cases+=("$2") && shift ;;
        --shell) shell=1 ;;
        --program) program=$(realpath "$2") && shift ;;
        --logs) logs=$2 && shift ;;
        *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 2 ;;
    esac
    shift
done
logs=${logs:-$(dirname "$program")/../tests/vm-logs}
mkdir -p "$logs"
logs=$(realpath "$logs")
rm -f "$logs"/*

# A machine that is not up by then, or not done with its cases, never will.
boot_limit=300 whole_limit=2100
# Under a KVM that serves, the kernel writes its first line within one second.
silence=20

say() { printf 'vm: %s\n' "$*"; }
die() { printf 'vm: %s\n' "$*" >&2; exit 1; }

machine=
work=$(mktemp -d)
clean_up() {
    local status=$?
    trap - EXIT
    if [ -n "$machine" ]; then
        kill -KILL "$machine" 2> /dev/null || :
        wait "$machine" 2> /dev/null || :
    fi
    rm -rf "$work"
    exit $status
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- The image, and the disk with what is under test ---

caches=${XDG_CACHE_HOME:-$HOME/.cache}/stagebox-tests/vm
make_image() {
    local built
    mkdir -p "$caches/project"
    exec 9> "$caches/lock"
    flock 9
    rm -rf "$caches"/project/{overlay,*.sh}
    cp -r "$here"/{stagebox.toml,packages.txt,overlay} "$caches/project"
    cp "$here"/{system,initrd,disk}.sh "$source"/stages/recipes/ailinux-live/{debs,rootfs}.sh "$caches/project"
    "$program" build --allow host-network -f "$caches/project/stagebox.toml" --store "$caches/store" > "$work/results" 2> "$logs/image.log" ||
        { tail -n 60 "$logs/image.log"; die "the image could not be built: $logs/image.log"; }
    built=$(grep -c ' built ' "$logs/image.log" || :)
    [ "$built" = 0 ] || "$program" store gc --store "$caches/store" --days 14 >> "$logs/image.log" 2>&1
    exec 9>&-
    say "the image: $built stages built, after $SECONDS s"
}
image() { sed -n "s/^$1 //p" "$work/results"; }

make_disk() {
    local tree=$work/disk name
    mkdir -p "$tree"/{bin,cases}
    cp "$here"/{agent,lib.sh,login} "$tree"
    strip --strip-debug -o "$tree/bin/stagebox" "$program"
    if [ ${#cases[@]} = 0 ]; then
        for name in "$here"/cases/*; do cases+=("${name##*/}"); done
    fi
    for name in "${cases[@]}"; do
        [ -x "$here/cases/$name" ] || die "there is no executable case '$name' in $here/cases"
        cp "$here/cases/$name" "$tree/cases"
    done
    chmod -R a+rX "$tree"
    tar -C "$tree" --owner=0 --group=0 --numeric-owner -cf "$work/disk.tar" .
}

# --- The machine ---

# start ACCELERATOR SERIAL...: QEMU in the background; sets `machine` to its process id. It dies with this script.
start() {
    # no_timer_check: on a busy host an emulated timer is too late for the kernel's test of it, which then panics.
    local words="console=ttyS0 mitigations=off no_timer_check${shell:+ vm.shell}" cpu=qemu64,+rdrand
    [ "$1" != kvm ] || cpu=host
    TMPDIR=$work setpriv --pdeathsig KILL qemu-system-x86_64 -machine "pc,accel=$1" -cpu "$cpu" -smp 2 -m 1024 \
        -kernel "$(image kernel)" -initrd "$(image initrd)" -append "$words" \
        -drive "file=$(image disk),format=raw,if=virtio,snapshot=on" \
        -drive "file=$work/disk.tar,format=raw,if=virtio,readonly=on" \
        -display none -monitor none -no-reboot -net none "${@:2}" 2> "$logs/qemu.log" &
    machine=$!
}

# A case's lines as they come: @begin and @end made readable.
show() {
    awk -v failed="$work/failed" '
        $1 == "@begin" { printf "== %s\n", $2 }
        /^\| / { print "   " substr($0, 3) }
        $1 == "@end" && $3 == 0 { printf "   %s: ok, %s s\n", $2, $4 }
        $1 == "@end" && $3 != 0 { printf "   %s: FAILED with %s after %s s\n", $2, $3, $4; print $2 >> failed }
        { fflush() }'
}

# watch ACCELERATOR: 0 when the machine has ended by itself, 1 when it did not, 2 when this accelerator does not serve.
watch() {
    local began=$SECONDS waited shown=0 now
    while :; do
        now=$(wc -l < "$logs/cases.log")
        if [ "$now" -gt "$shown" ]; then
            [ "$shown" != 0 ] || say "up after $((SECONDS - began)) s ($1)"
            sed -n "$((shown + 1)),${now}p" "$logs/cases.log" | show
            shown=$now
        fi
        waited=$((SECONDS - began))
        if ! kill -0 "$machine" 2> /dev/null; then
            [ "$now" = "$(wc -l < "$logs/cases.log")" ] || continue
            [ "$1" = kvm ] && [ ! -s "$logs/console.log" ] && return 2
            return 0
        fi
        if [ "$1" = kvm ] && { grep -q 'KVM internal error' "$logs/qemu.log" ||
            { [ ! -s "$logs/console.log" ] && [ "$waited" -ge "$silence" ]; }; }; then return 2; fi
        if [ "$shown" = 0 ] && [ "$waited" -ge "$boot_limit" ]; then say "not up after $waited s"; return 1; fi
        if [ "$waited" -ge "$whole_limit" ]; then say "not done after $waited s"; return 1; fi
        sleep 0.5
    done
}

# What was found out about KVM holds until this host is started anew.
boot_id=$(cat /proc/sys/kernel/random/boot_id)
accelerators=(tcg)
if [ -c /dev/kvm ] && { : <> /dev/kvm; } 2> /dev/null && [ "$(cat "$caches/no-kvm" 2> /dev/null)" != "$boot_id" ]; then
    accelerators=(kvm tcg)
fi

boot() {
    local accelerator verdict
    for accelerator in "${accelerators[@]}"; do
        : > "$logs/cases.log"
        start "$accelerator" -serial "file:$logs/console.log" -serial "file:$logs/cases.log" < /dev/null
        verdict=0
        watch "$accelerator" || verdict=$?
        kill -KILL "$machine" 2> /dev/null || :
        wait "$machine" 2> /dev/null || :
        machine=
        [ "$verdict" = 2 ] || break
        say "/dev/kvm opens, but nothing starts under it here: emulating instead"
        printf '%s\n' "$boot_id" > "$caches/no-kvm"
    done
    return "$verdict"
}

make_image
make_disk
if [ -n "$shell" ]; then
    start "${accelerators[-1]}" -serial mon:stdio <&0
    wait "$machine" || :
    machine=
    exit 0
fi

verdict=0
boot || verdict=$?
ended=$(grep -c '^@end ' "$logs/cases.log" || :)
failed=$([ ! -e "$work/failed" ] || wc -l < "$work/failed")
if [ "$verdict" != 0 ] || ! grep -qx '@done' "$logs/cases.log"; then
    say "the machine did not come to its end; the last lines of its console:"
    tail -n 40 "$logs/console.log" | tr -d '\r' | sed 's/^/   console: /'
    sed 's/^/   qemu: /' "$logs/qemu.log"
    die "$ended of ${#cases[@]} cases ended; logs: $logs"
fi
[ "$ended" = ${#cases[@]} ] || die "$ended of ${#cases[@]} cases ended; logs: $logs"
[ -z "$failed" ] || die "$failed of $ended cases failed: $(xargs < "$work/failed"); logs: $logs"
say "all $ended cases passed after $SECONDS s; logs: $logs"
