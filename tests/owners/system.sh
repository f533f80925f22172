#!/bin/bash
# Installs the packages inside the tree of rootfs.sh: the essential ones by dpkg, the others by apt-get. No network.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true
umask 022

files() { sed 's,^,/in/debs/,' "/in/debs/$1.list"; }
mapfile -t essential < <(files essential)
mapfile -t rest < <(files rest)
dpkg --force-unsafe-io --force-depends --install "${essential[@]}" > /tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; exit 1; }
apt-get --yes --no-install-recommends -o Dpkg::Options::=--force-unsafe-io install "${rest[@]}"

problems=$(dpkg --audit)
[ -z "$problems" ] || { printf 'system: packages are not fully installed:\n%s\n' "$problems" >&2; exit 1; }

# Somebody else's process makes somebody else's files, and is refused what only root may do.
runuser -u postgres -- sh -c 'id -un; touch /var/lib/postgresql/by-postgres; ! chown root /var/lib/postgresql/by-postgres'
