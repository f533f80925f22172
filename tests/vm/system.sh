#!/bin/bash
# Installs every package inside the tree of rootfs.sh, makes the accounts, and leaves of systemd's units those that the tests
# are about: the machine is emulated where there is no KVM, and then starts ten times as slowly.
#
# In:   /in/debs (of debs.sh); /in/overlay (files of the machine)
# Out:  the root itself
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true
umask 022

# --- Packages ---

dpkg_quiet() { dpkg --force-unsafe-io --force-depends --force-confold "$@" > /tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log >&2; return 1; }; }
files() { sed 's,^,/in/debs/,' "/in/debs/$1.list"; }
mapfile -t essential < <(files essential)
mapfile -t rest < <(files rest)
dpkg_quiet --install "${essential[@]}"
dpkg_quiet --unpack "${rest[@]}"
# INITRD=No: the kernel's hook makes no initrd. That is initrd.sh's work.
INITRD=No dpkg_quiet --configure --pending
problems=$(dpkg --audit)
[ -z "$problems" ] || { printf 'system: packages are not fully installed:\n%s\n' "$problems" >&2; exit 1; }

# --- The machine ---

(cd /in/overlay && find . -type f -print0) | while IFS= read -r -d '' file; do
    install -D -m 644 "/in/overlay/$file" "/$file"
done
printf 'vm\n' > /etc/hostname
printf '127.0.0.1\tlocalhost vm\n::1\tlocalhost\n' > /etc/hosts
# The same in each boot: without one, systemd would take it for the first boot and set every unit up anew.
printf '%032x\n' 1 > /etc/machine-id

# An ordinary user, who logs in by ssh with a key that root's cases have too. useradd gives the subordinate ids.
useradd --create-home --uid 1000 --shell /bin/bash tester
grep -q '^tester:[0-9]*:65536$' /etc/subuid /etc/subgid
install -d -m 700 /root/.ssh
install -d -m 700 -o tester -g tester /home/tester/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
install -m 600 -o tester -g tester /root/.ssh/id_ed25519.pub /home/tester/.ssh/authorized_keys
sed 's/^[^ ]* /&/; s/^/localhost /' /etc/ssh/ssh_host_ed25519_key.pub > /root/.ssh/known_hosts
printf '%s:tester\n' root tester | chpasswd

# --- What starts with it ---

# No udev: the kernel's own devtmpfs has the devices, and nothing here waits for one. No terminals but vm-console.service.
masked=(
    systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service
    systemd-udev-settle.service systemd-hwdb-update.service systemd-pstore.service systemd-random-seed.service
    systemd-binfmt.service proc-sys-fs-binfmt_misc.automount systemd-modules-load.service systemd-remount-fs.service
    systemd-journal-flush.service systemd-journal-catalog-update.service systemd-update-utmp.service
    systemd-update-utmp-runlevel.service systemd-sysusers.service systemd-machine-id-commit.service ldconfig.service
    dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount
    sys-fs-fuse-connections.mount modprobe@.service systemd-ask-password-console.path systemd-ask-password-wall.path
    getty.target timers.target remote-fs.target e2scrub_reap.service
)
for unit in "${masked[@]}"; do ln -sf /dev/null "/etc/systemd/system/$unit"; done
mkdir -p /etc/systemd/system-generators
for generator in /usr/lib/systemd/system-generators/*; do
    ln -s /dev/null "/etc/systemd/system-generators/${generator##*/}"
done
: > /etc/fstab
systemctl --quiet enable vm-agent.service vm-console.service
systemctl --quiet set-default multi-user.target

rm -f /etc/resolv.conf /initrd.img* /vmlinuz*
rm -rf /var/cache/apt /var/lib/apt/lists/* /var/cache/debconf/* /var/log/* /usr/share/doc /usr/share/man /usr/share/locale
