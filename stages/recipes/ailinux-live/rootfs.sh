#!/bin/bash
# Unpacks the essential packages into an empty tree: files only, nothing is configured yet. That is the system stage's
# work, inside this tree; here the host's dpkg-deb and tar do it.
#
# In:   /in/debs (of debs.sh)
# Out:  /out/tree
set -euo pipefail

tree=/out/tree
mkdir -m 755 "$tree"

# Merged /usr from the first file on. tar keeps the links when a package ships /bin or /lib as a directory.
for name in bin sbin lib lib64; do
    mkdir -p "$tree/usr/$name"
    ln -s "usr/$name" "$tree/$name"
done

export tree
# Side by side: each package owns its files, and directories shared by several have the same owner and mode in all.
# shellcheck disable=SC2016  # expanded by the inner shell
xargs -a /in/debs/essential.list -P "$(nproc)" -I{} bash -o pipefail -c \
    'dpkg-deb --fsys-tarfile "/in/debs/$1" | tar -C "$tree" -x -p --numeric-owner --keep-directory-symlink' extract {}

# What dpkg expects of a system with nothing installed.
mkdir -p "$tree/var/lib/dpkg/info" "$tree/var/lib/dpkg/updates"
: > "$tree/var/lib/dpkg/status"
: > "$tree/var/lib/dpkg/available"
