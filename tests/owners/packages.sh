#!/bin/bash
# apt-get install of packages whose files and services have users of their own (postgresql, openssh-server), in a jail with a
# range of ids and in one with a single id: both must work, and tars of both systems must name the same owners.
#
#   packages.sh SOURCE STAGEBOX
set -euo pipefail

die() { printf 'packages: %s\n' "$*" >&2; exit 1; }
[ $# = 2 ] || die "usage: packages.sh SOURCE STAGEBOX"
source=$(realpath "$1")
program=$(realpath "$2")

work=$(mktemp -d "$HOME/stagebox-owners.XXXXXX")
store=$work/store
clean_up() {
    local status=$?
    trap - EXIT
    # What a jail's ids own can only be deleted with those ids: the store does it, when no record names it.
    if [ -d "$store/v2" ]; then
        rm -rf "$store"/v2/records/*
        "$program" store gc --store "$store" > /dev/null || :
    fi
    rm -rf "$work"
    exit $status
}
trap clean_up EXIT

cp -r "$source/tests/owners" "$work/project"
cp "$source"/stages/recipes/ailinux-live/{debs,rootfs}.sh "$work/project"
cd "$work/project"
"$program" build --allow host-network --store "$store" > "$work/results"

# The build prints where each result is: "owners-range PATH".
result() { sed -n "s/^$1 //p" "$work/results"; }
range=$(result owners-range)
single=$(result owners-single)
diff "$single" "$range" || die "the two systems have other owners"
# And they are those of the packages: files of postgres, of group shadow and of group ssh.
grep -q ' 0/42 .*\./etc/shadow$' "$single" || die "/etc/shadow is not of group shadow"
postgres=$(tar -xOf "$(result tar-single)" ./etc/passwd | awk -F: '$1 == "postgres" { print $3 "/" $4 }')
[ "$(grep -c " $postgres .*\./var/lib/postgresql/15/main/" "$single")" -gt 500 ] || die "the cluster is not $postgres's"
printf 'packages: %s paths with the same owners, %s of them not root'"'"'s\n' "$(wc -l < "$single")" "$(grep -vc ' 0/0 ' "$single")"
