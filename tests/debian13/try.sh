#!/bin/bash
# Builds Stagebox on Debian 13 and runs the unit tests and the jail tests there, whatever Debian this machine has: in a root
# of its own, made of the packages of the mirror that this machine's apt uses. What is committed is tested, not what lies
# in the working tree. Takes at most an hour. An ordinary user's goes through sudo.
#
#   try.sh                   by GCC
#   try.sh --compiler clang  by clang
#
# The root stays for the next time, in /var/cache/stagebox-debian13, and is made anew when scripts/setup has changed.
set -euo pipefail

say() { printf 'debian13: %s\n' "$*"; }
die() { printf 'debian13: %s\n' "$*" >&2; exit 1; }
usage() { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; }

compiler=gcc
case "$#:${1:-}" in
    0:) ;;
    2:--compiler) compiler=$2 ;;
    1:-h | 1:--help) usage; exit ;;
    *) usage >&2; exit 2 ;;
esac
[ "$compiler" = gcc ] || [ "$compiler" = clang ] || { usage >&2; exit 2; }

project=$(realpath "$(dirname "$0")/../..")
if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null || die "only root can make a root of another Debian, and there is no sudo here"
    say "a root of another Debian is made by root; with sudo: $0"
    exec sudo "$0" --compiler "$compiler"
fi
command -v mmdebstrap > /dev/null || die "mmdebstrap is missing; scripts/setup --test installs it"

work=/var/cache/stagebox-debian13
root=$work/root
mkdir -p "$work"
exec 9> "$work/lock"
flock --nonblock 9 || die "another try is running in $work"

# apt_sources: Debian's own sources of this machine's apt, for Debian 13.
apt_sources() {
    local here
    here=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    [ -n "$here" ] || die "/etc/os-release does not say which Debian this is"
    apt-get indextargets --no-release-info --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Identifier: Packages' | sort -u |
        awk -v here="$here" '
            $3 == "main" && ($2 == here || $2 == here "-updates" || $2 == here "-security") {
                sub("^" here, "trixie", $2)
                print "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]", $1, $2, $3
                found = 1
            }
            END { exit !found }' || die "apt has no source for Debian ($here main) here"
}

# make_root: minimal, and with the certificates, proxies and dates that apt goes by here.
make_root() {
    say "making the root"
    rm -rf --one-file-system "$root" "$work/setup.made"
    apt-config dump --no-empty --format '%F "%v";%n' Acquire::http Acquire::https Acquire::Retries \
        Acquire::Check-Valid-Until Acquire::Check-Date > "$work/apt.conf"
    apt_sources > "$work/sources.list"
    mmdebstrap --quiet --variant=minbase --include=ca-certificates --aptopt="$work/apt.conf" \
        trixie "$root" "$work/sources.list"
    # Services of packages are not started in there.
    printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
}

# copy_source: what is committed in place of what an earlier try had; what that one built stays, for a faster build.
copy_source() {
    mkdir -p "$root/src"
    find "$root/src" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
    git -c safe.directory='*' -C "$project" archive HEAD | tar -x -C "$root/src"
}

git -c safe.directory='*' -C "$project" show HEAD:scripts/setup > "$work/setup.wanted"
if ! cmp -s "$work/setup.wanted" "$work/setup.made"; then
    make_root
    cp "$work/setup.wanted" "$work/setup.made"
fi
copy_source
cp /etc/resolv.conf "$root/etc/resolv.conf"
say "commit $(git -c safe.directory='*' -C "$project" rev-parse --short HEAD), by $compiler"
# Whatever is still running at the end goes with the PID namespace.
exec timeout --kill-after=10 3600 unshare --mount --pid --fork --kill-child --propagation private \
    "$project/tests/debian13/enter" "$root" bash /src/tests/debian13/inside.sh "$compiler"
