#!/bin/bash
# Makes the initrd, once, inside the finished system.
#
# Out:  /out/vmlinuz /out/initrd.img
set -euo pipefail

# Without it mkinitramfs takes gzip, and only mentions it: a larger initrd, made more slowly.
command -v zstd > /dev/null || { echo "initrd: the system has no zstd: add it to packages.txt" >&2; exit 1; }

update-initramfs -c -k all

kernels=(/boot/vmlinuz-*)
[ ${#kernels[@]} = 1 ] || { printf 'initrd: one kernel is expected, there are: %s\n' "${kernels[*]}" >&2; exit 1; }
version=${kernels[0]#/boot/vmlinuz-}
cp "/boot/vmlinuz-$version" /out/vmlinuz
cp "/boot/initrd.img-$version" /out/initrd.img
chmod 644 /out/vmlinuz /out/initrd.img
