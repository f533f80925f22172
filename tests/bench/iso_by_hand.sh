#!/bin/bash
# The ISO by hand: the recipe's own scripts in plain unshare(1), without Stagebox. The floor that scripts/bench compares
# `stagebox build` with. The ISO is the same as Stagebox's, bit by bit, so it is also a check of both.
#
#   iso_by_hand.sh DEBS WORK     DEBS: the artifact of the stage "debs"; WORK: a new directory, for the tree and the ISO
#
# Prints one line a stage (name, seconds), then the ISO's path. What it does not do, and Stagebox does: keep layers, keys and
# records, filter system calls, run stages side by side, boot the result.
set -euo pipefail

recipe=$(cd "$(dirname "$0")/../../stages/recipes/ailinux-live" && pwd)

variable() { sed -n "s/^$1 = \"\(.*\)\"$/\1/p" "$recipe/stagebox.toml"; }

# Behind the fence: makes the mounts that the jail would make, runs the script, takes its marks out of the tree again.
# inside ROOT OUT SCRIPT [TARGET=SOURCE...]; ROOT is "host" or a directory
inside() {
    local from=$1 out=$2 script=$3 root pair target code=0
    shift 3
    root=$(mktemp -d)
    if [ "$from" = host ]; then
        mount -t tmpfs -o mode=0755 root "$root"
        mkdir -p "$root"/{usr,etc,proc,sys,dev,run,tmp,in,out,root}
        mount --bind /usr "$root/usr"
        mount -o remount,bind,ro "$root/usr"
        for target in bin sbin lib lib64; do ln -s "usr/$target" "$root/$target"; done
        cp -rP /etc/alternatives /etc/ld.so.cache "$root/etc/"
        printf 'root:x:0:0:root:/root:/bin/sh\n' > "$root/etc/passwd"
        printf 'root:x:0:\n' > "$root/etc/group"
    else
        mount --bind "$from" "$root"
        mkdir -p "$root"/{proc,sys,dev,run,tmp,in,out}
    fi
    mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
    mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
    # 0755: in a directory like /tmp the kernel lets nobody write to another's device.
    mount -t tmpfs -o mode=0755,nosuid,size=1m dev "$root/dev"
    for target in null zero full random urandom tty; do
        : > "$root/dev/$target"
        mount --bind "/dev/$target" "$root/dev/$target"
    done
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
    mount -t tmpfs -o mode=1777,nosuid,nodev shm "$root/dev/shm"
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
    ln -s fd/0 "$root/dev/stdin"
    ln -s fd/1 "$root/dev/stdout"
    ln -s fd/2 "$root/dev/stderr"
    mount -t tmpfs -o mode=0755,nosuid,nodev run "$root/run"
    mount -t tmpfs -o mode=1777,nosuid,nodev tmp "$root/tmp"
    mount -t tmpfs -o mode=0755 in "$root/in"
    mount --bind "$out" "$root/out"
    for pair in "$@"; do
        target=$root${pair%%=*}
        if [ -d "${pair#*=}" ]; then mkdir "$target"; else : > "$target"; fi
        mount --bind "${pair#*=}" "$target"
        mount -o remount,bind,ro "$target"
    done
    : > "$root/run/stage"
    mount --bind "$script" "$root/run/stage"
    if [ "$from" != host ]; then
        printf '#!/bin/sh\nexit 101\n' > "$root/run/policy-rc.d"
        chmod 755 "$root/run/policy-rc.d"
        : > "$root/usr/sbin/policy-rc.d"
        mount --bind "$root/run/policy-rc.d" "$root/usr/sbin/policy-rc.d"
    fi

    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 SUITE="$(variable suite)" \
        SOURCE_DATE_EPOCH="$(variable epoch)" SQUASHFS_LEVEL="$(variable squashfs-level)" \
        setpriv --no-new-privs --bounding-set=-sys_admin,-mknod chroot "$root" /run/stage < /dev/null || code=$?

    if [ "$from" != host ]; then
        umount "$root/usr/sbin/policy-rc.d"
        rm "$root/usr/sbin/policy-rc.d"
        umount -R "$root/in" "$root/out"
        rmdir "$root/in" "$root/out"
        umount -R "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/tmp"
        settle "$root"
    fi
    settle "$out"
    return "$code"
}

# Every directory, and all that is newer, bears the build's date: the order in which files came must not show.
settle() {
    find "$1" -xdev \( -type d -o -newermt "@$(variable epoch)" \) -exec touch -h --no-create -d "@$(variable epoch)" {} +
}

if [ "${1:-}" = --inside ]; then
    shift
    inside "$@"
    exit
fi

[ $# = 2 ] || { echo "usage: $0 DEBS WORK" >&2; exit 2; }
debs=$(realpath "$1")
mkdir "$2"
work=$(realpath "$2")

namespaces=(--mount --pid --fork --kill-child --net --ipc --uts)
[ "$(id -u)" = 0 ] || namespaces=(--map-root-user --map-auto "${namespaces[@]}")

# stage NAME ROOT [TARGET=SOURCE...]
stage() {
    local name=$1 root=$2 began
    shift 2
    began=$(date +%s%N)
    mkdir "$work/$name"
    unshare "${namespaces[@]}" "$0" --inside "$root" "$work/$name" "$recipe/$name.sh" "$@" > "$work/$name.log" 2>&1 || {
        tail -n 20 "$work/$name.log" >&2
        echo "iso_by_hand: $name failed" >&2
        exit 1
    }
    awk -v name="$name" -v ns="$(($(date +%s%N) - began))" 'BEGIN { printf "%-10s %6.2f\n", name, ns / 1e9 }'
}

tree=$work/rootfs/tree
stage rootfs host "/in/debs=$debs"
stage system "$tree" "/in/debs=$debs" "/in/overlay=$recipe/overlay"
# Before the initrd, which changes the tree: without layers there is only this one.
stage squashfs host "/in/root=$tree"
stage initrd "$tree"
stage iso host "/in/filesystem.squashfs=$work/squashfs/filesystem.squashfs" "/in/vmlinuz=$work/initrd/vmlinuz" \
    "/in/initrd.img=$work/initrd/initrd.img" "/in/grub=$recipe/grub"
echo "$work/iso/ailinux.iso"
