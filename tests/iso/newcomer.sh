#!/bin/bash
# The main job from end to end, as somebody who has just heard of it would do it: a fresh clone, one command, a bootable
# ISO. Then what a second day brings: the same again, a changed line, a kill in the middle, and going on after it. All of
# it in a directory of its own in the home directory, the store too, and gone at the end.
#
#   newcomer.sh SOURCE                     everything, by scripts/build-iso, with both boots
#   newcomer.sh SOURCE --program STAGEBOX  with a program that is built already, up to the ISO, without the boots
#
# SOURCE is the repository that is cloned: what is committed is tested, not what lies in the working tree.
set -euo pipefail

die() { printf 'newcomer: %s\n' "$*" >&2; exit 1; }
[ $# = 1 ] || { [ $# = 3 ] && [ "$2" = --program ]; } || die "usage: newcomer.sh SOURCE [--program STAGEBOX]"
source=$(realpath "$1")
given=${3:-}

work=$(mktemp -d "$HOME/stagebox-newcomer.XXXXXX")
export work  # awk reads it from there: in an argument, it would make awk one of the processes that are looked for
clone=$work/stagebox
recipe=stages/recipes/ailinux-live
iso=$work/my.iso
log=$work/log
export XDG_CACHE_HOME=$clone/cache
unset STAGEBOX_STORE
store=$XDG_CACHE_HOME/stagebox/v2
program=${given:-$clone/build/release/runtime/stagebox}
supervisor=
listener=

clean_up() {
    local status=$?
    trap - EXIT
    if [ $status != 0 ] && [ -s "$log" ]; then
        printf 'newcomer: the end of the last output:\n' >&2
        tail -n 60 "$log" | sed 's/^/    /' >&2
    fi
    for pid in $supervisor $listener; do
        kill -KILL "$pid" 2> /dev/null || :
        wait "$pid" 2> /dev/null || :
    done
    # What a jail's ids own can only be deleted with those ids: the store does it, when no record names it.
    if [ -d "$store" ]; then
        rm -rf "$store"/records/*
        "$program" store gc > /dev/null || :
    fi
    rm -rf "$work"
    exit $status
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n== %s (after %d s)\n' "$*" "$SECONDS"; }
ok() { printf '   ok: %s\n' "$*"; }

# --- What a build said, and what the host looks like ---

# The table at the end of a build, as "debs=cached rootfs=cached ...".
states() {
    awk '$1 == "stage" && $2 == "result" { inside = 1; next }
         inside && (NF == 0 || $1 ~ /:$/) { inside = 0 }
         inside { printf "%s%s=%s", (n++ ? " " : ""), $1, $2 }' "$log"
}

expect_states() {
    local got
    got=$(states)
    [ "$got" = "$*" ] || die "the stages should be: $*; they are: $got"
    grep -q '^receipt: host session untouched: .* no process of ours left' "$log" || die "the receipt is not clean"
    ok "$got, host untouched"
}

# every STATE [STAGE...]: the stages of the recipe, or those named, each in this state.
every() {
    local state=$1 text=
    shift
    [ $# != 0 ] || set -- "${stages[@]}"
    for stage; do text+="${text:+ }$stage=$state"; done
    printf '%s' "$text"
}

# stagebox build of the recipe up to the ISO; sets `digest` to the ISO's.
build_up_to_iso() {
    local path
    path=$("$program" build --allow host-network -f "$recipe/stagebox.toml" iso 2> "$log" | sed -n 's/^iso //p')
    [ -s "$path" ] || die "the build named no ISO"
    digest=$(sha256sum < "$path")
}

# Processes of ours, one a line: those with an id of the jails' range, and those that name the directory of this test.
our_processes() {
    ps -eo pid=,uid=,stat=,args= | awk -v base="$uid_base" -v count="$uid_count" \
        '$3 !~ /^Z/ && (($2 >= base && $2 < base + count) || index($0, ENVIRON["work"]))'
}

number() { sed -n "s/.*\"$1\": \\([0-9]*\\).*/\\1/p" "$store/format.json"; }

# --- A clone, and the first command ---

say "clone"
# A checkout of another user (root's, when root runs this as somebody else) is refused by git unless it is told so.
git clone --quiet --no-local --upload-pack "git -c safe.directory='*' upload-pack" "$source" "$clone"
cd "$clone"
ok "$(git log -1 --format='%h %s')"

mapfile -t stages < <(sed -n 's/^\[stage\.\([a-z0-9-]*\)\]$/\1/p' "$recipe/stagebox.toml")
[ ${#stages[@]} -ge 6 ] || die "the recipe has the stages ${stages[*]}"
mounts_at_first=$(cat /proc/self/mountinfo)

if [ -n "$given" ]; then
    say "stagebox build iso"
    mapfile -t stages < <(printf '%s\n' "${stages[@]}" | grep -vx boot)
    build_up_to_iso
    expect_states "$(every built)"
    say "the same again"
    first=$digest
    build_up_to_iso
else
    say "scripts/build-iso"
    scripts/build-iso "$iso" > "$log" 2>&1
    expect_states "$(every built)"
    digest=$(sha256sum < "$iso")
    for firmware in bios uefi; do
        console=build/ailinux-live/boot-logs/$firmware.log
        grep -a -q ' login: ' "$console" || die "$firmware: no login prompt in $console"
        grep -a -q 'AILINUX-LIVE-READY .*failed=0 ' "$console" || die "$firmware: no line with failed=0 in $console"
        ok "$firmware: login prompt; $(grep -a -o 'AILINUX-LIVE-READY [^[:cntrl:]]*' "$console" | tail -n 1)"
    done
    say "scripts/build-iso again"
    first=$digest
    rm "$iso"
    scripts/build-iso "$iso" > "$log" 2>&1
    digest=$(sha256sum < "$iso")
    mapfile -t stages < <(printf '%s\n' "${stages[@]}" | grep -vx boot)
fi
[ "$digest" = "$first" ] || die "the second ISO is not the first"
if [ -n "$given" ]; then expect_states "$(every cached)"; else expect_states "$(every cached) boot=cached"; fi
ok "the ISO is the same: ${digest%% *}"

[ "${stages[0]} ${stages[1]} ${stages[2]}" = "debs rootfs system" ] || die "the recipe does not begin as this test believes"
before=("${stages[@]:0:2}")
after=("${stages[@]:3}")

# --- A changed line ---

say "a line more in system.sh"
printf '%s\n' "echo 'One line more.' >> /etc/motd" >> "$recipe/system.sh"
build_up_to_iso
expect_states "$(every cached "${before[@]}") $(every built system "${after[@]}")"
[ "$digest" != "$first" ] || die "the ISO is still the same"
xorriso -osirrox on -indev "$("$program" build --allow host-network -f "$recipe/stagebox.toml" iso 2> "$log" | sed -n 's/^iso //p')" \
    -extract /live/filesystem.squashfs "$work/squashfs" > "$log" 2>&1
unsquashfs -cat "$work/squashfs" etc/motd > "$log"
grep -q '^One line more' "$log" || die "the line is not in the ISO's /etc/motd"
ok "the line is in the ISO"
changed=$digest

# --- A comment more, and the supervisor killed in the middle ---

say "a comment more in system.sh, and kill -9 in the middle of that stage"
echo '# Nothing but a comment.' >> "$recipe/system.sh"
uid_base=$(number uid_base)
uid_count=$(number count)
others=$(our_processes)
[ -z "$others" ] || die "processes of ours are there before the build: $others"

"$program" build --allow host-network -f "$clone/$recipe/stagebox.toml" iso > "$work/iso-path" 2> "$log" &
supervisor=$!
until grep -q 'system | installing the others' "$log"; do
    kill -0 $supervisor 2> /dev/null || die "the build ended before its system stage was in the middle"
    sleep 0.1
done
sleep 1
[ "$(our_processes | awk -v base="$uid_base" '$2 >= base' | wc -l)" -ge 2 ] || die "no process of the stage is there to be killed"
[ "$(cat /proc/self/mountinfo)" = "$mounts_at_first" ] || die "the host's mount table changed while a stage ran"
ok "in the middle: $(our_processes | wc -l) processes of ours, and no mount on the host"

kill -KILL $supervisor
killed=${EPOCHREALTIME/[.,]/}
wait $supervisor 2> /dev/null && die "the killed supervisor ended well"
supervisor=
until left=$(our_processes) && [ -z "$left" ]; do
    [ $((${EPOCHREALTIME/[.,]/} - killed)) -lt 1000000 ] || die "a second after the kill there is still: $left"
    sleep 0.02
done
ok "$(((${EPOCHREALTIME/[.,]/} - killed) / 1000)) ms after the kill no process of ours is left"
[ "$(cat /proc/self/mountinfo)" = "$mounts_at_first" ] || die "the kill left another mount table"
ok "the host's mount table is as it was at first"

say "the next build goes on"
build_up_to_iso
expect_states "$(every cached "${before[@]}") system=built $(every cached "${after[@]}")"
[ "$digest" = "$changed" ] || die "the ISO is another one: a comment changed what was built"
ok "a comment changes nothing: the ISO is the same"

# --- No network but where it is declared ---

say "the network"
for stage in "${stages[@]}"; do
    wanted=yes
    [ "$stage" != debs ] || wanted=no
    namespaces=$("$program" plan -f "$recipe/stagebox.toml" "$stage" | sed -n 's/^clone into new namespaces: //p')
    case "$wanted $namespaces " in
        "yes "*' network '*) ;;
        "no "*' network '*) die "$stage should have the host's network: $namespaces" ;;
        "no "*) continue ;;
        *) die "$stage should have a network of its own: $namespaces" ;;
    esac
done
ok "every stage but debs has a network namespace of its own"

mkdir "$work/network"
perl -MIO::Socket::INET -e '
    my $socket = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1") or die "no socket: $!";
    open my $port, ">", "$ARGV[0].new"; print $port $socket->sockport, "\n"; close $port;
    rename "$ARGV[0].new", $ARGV[0];
    while (my $client = $socket->accept) { print $client "an answer\n"; close $client }' "$work/port" &
listener=$!
until [ -e "$work/port" ]; do sleep 0.05; done
cat > "$work/network/stagebox.toml" << TOML
version = 1
name = "network"
[vars]
ask = "read -r line < /dev/tcp/127.0.0.1/$(cat "$work/port") && echo it says: \$line"
[stage.with]
from = "host"
network = "host"
run = ["bash", "-c", "\${ask}"]
[stage.without]
from = "host"
run = ["bash", "-c", "\${ask}"]
[stage.outside]
from = "host"
run = ["bash", "-c", "echo > /dev/tcp/192.0.2.1/9"]
TOML

# try STAGE CODE WORDS [OPTION...]: how the build of one stage ends, and what its output says.
try() {
    local code=0
    "$program" build -f "$work/network/stagebox.toml" "${@:4}" "$1" > "$log" 2>&1 || code=$?
    [ $code = "$2" ] || die "stage $1 should end the build with $2, not $code"
    grep -q "$1 | .*$3\|error: .*$3" "$log" || die "stage $1 does not say: $3"
    ok "stage $1: $3"
}
try with 2 'asks for more than was granted to it: host-network (with)'
try with 0 'it says: an answer' --allow host-network
try without 1 'Connection refused'
try outside 1 'Network is unreachable'

say "done"
