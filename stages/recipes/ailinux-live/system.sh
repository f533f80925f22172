#!/bin/bash
# Installs every package inside the tree of rootfs.sh, makes it AILinux, and cleans up. No network, no mount, no service:
# package scripts that try to start one are told no by the jail's policy-rc.d.
#
# In:   SUITE, SOURCE_DATE_EPOCH; /in/debs (of debs.sh); /in/overlay (files for the image, shown at their places)
# Out:  the root itself. The initrd is made by the next stage.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true
umask 022

(cd /in/debs && sha256sum --check --strict --quiet SHA256SUMS)

# --- Packages ---

# unsafe-io: a stage is kept whole or not at all, so no file needs its own fsync.
# depends: the order within one call is apt's; dpkg alone would refuse it at the first Pre-Depends on a library not yet set up.
dpkg_quiet() { dpkg --force-unsafe-io --force-depends --force-confold "$@" > /tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log >&2; return 1; }; }
files() { sed 's,^,/in/debs/,' "/in/debs/$1.list"; }

echo "installing the essential packages"
mapfile -t essential < <(files essential)
dpkg_quiet --install "${essential[@]}"

echo "installing the others"
mapfile -t rest < <(files rest)
dpkg_quiet --unpack "${rest[@]}"
# The kernel's hook would make an initrd now, and the trigger of initramfs-tools another one. INITRD=No is what the hook
# reads to make none; the trigger only renews an initrd that exists.
INITRD=No dpkg_quiet --configure --pending

problems=$(dpkg --audit)
[ -z "$problems" ] || { printf 'system: packages are not fully installed:\n%s\n' "$problems" >&2; exit 1; }

# --- AILinux ---

# Modes are set here and not copied: those of a checkout depend on its owner's umask.
cd /in/overlay
find . -type f -print0 | while IFS= read -r -d '' file; do
    mode=644
    [ ! -x "$file" ] || mode=755
    install -D -m "$mode" "$file" "/$file"
done
cd /
printf 'ailinux\n' > /etc/hostname
printf '127.0.0.1\tlocalhost\n127.0.1.1\tailinux\n::1\tlocalhost ip6-localhost ip6-loopback\n' > /etc/hosts
cp /in/debs/sources.list /etc/apt/sources.list

# A derivative keeps Debian's own file beside its own, and the diversion keeps an update of base-files from undoing it.
cp --preserve=timestamps /usr/lib/os-release /usr/lib/os-release.debian
dpkg-divert --quiet --local --no-rename --divert /usr/lib/os-release.debian --add /usr/lib/os-release
(
    # shellcheck disable=SC1091
    . /usr/lib/os-release.debian
    cat > /usr/lib/os-release <<OS
PRETTY_NAME="AILinux $VERSION"
NAME="AILinux"
VERSION_ID="$VERSION_ID"
VERSION="$VERSION"
VERSION_CODENAME=$VERSION_CODENAME
ID=ailinux
ID_LIKE=debian
OS
    printf '%s \\n \\l\n\n' "AILinux $VERSION_ID" > /etc/issue
    printf '%s\n' "AILinux $VERSION_ID" > /etc/issue.net
)

# C.UTF-8 is part of libc: UTF-8 everywhere without the package locales (16 MB) and without a locale-gen in each build.
printf 'LANG=C.UTF-8\n' > /etc/default/locale

# A live system's accounts are no secret: the password of both is "ailinux". The hash is given and not made, because a new
# salt in each build would make each build's image another one. (openssl passwd -6 -salt ailinux ailinux)
# shellcheck disable=SC2016  # $6$ is part of the hash
hash='$6$ailinux$R8HDFKORlLN2T.pjSwi.WAQeO7N438DHJYjnIdDBhOeRIPM62GBv6mleTx.T7HJs1D8Uf2d0tEsgasYW3NxN2.'
useradd --create-home --uid 1000 --shell /bin/bash --comment AILinux --groups adm,audio,cdrom,dip,plugdev,video ailinux
printf '%s:%s\n' root "$hash" ailinux "$hash" | chpasswd -e

systemctl --quiet enable ailinux-ready.service

# --- What only building needed ---

rm -f /etc/resolv.conf /var/lib/dbus/machine-id /etc/*- /boot/*.old /initrd.img.old /vmlinuz.old
# Empty: every boot makes an identity of its own.
: > /etc/machine-id
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/cache/debconf/*-old \
    /var/cache/ldconfig/aux-cache /var/lib/dpkg/*-old /var/lib/systemd/catalog/database.bak
rm -rf /var/log/dpkg.log /var/log/alternatives.log /var/log/bootstrap.log /var/log/apt/*
# Without this directory the journal stays in /run: a live system has no disk to keep it on.
rm -rf /var/log/journal
