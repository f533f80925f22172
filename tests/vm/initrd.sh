#!/bin/bash
# An initrd that loads what the root disk needs and goes there: no udev, no search for the disk.
#
# Out:  /out/vmlinuz /out/initrd
set -euo pipefail

kernels=(/boot/vmlinuz-*)
[ ${#kernels[@]} = 1 ] || { printf 'initrd: one kernel is expected, there are: %s\n' "${kernels[*]}" >&2; exit 1; }
version=${kernels[0]#/boot/vmlinuz-}
tree=/tmp/initrd
mkdir -p "$tree"/{bin,dev,root,modules}
cp /bin/busybox "$tree/bin"

# In the order in which they have to be loaded; what is built into the kernel has no file. The disk's modules are all that
# the initrd needs; the others are those that Stagebox or a test would have the kernel load at its first use.
number=100
for module in virtio_pci virtio_blk ext4; do
    modprobe --set-version "$version" --show-depends "$module"
done | sed -n 's/^insmod \([^ ]*\).*/\1/p' > /tmp/modules
[ -s /tmp/modules ]
while read -r file; do
    number=$((number + 1))
    cp "$file" "$tree/modules/$number-${file##*/}"
done < /tmp/modules

cat > "$tree/init" << 'END'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
# Some are named twice, by two that need them.
for module in /modules/*; do /bin/busybox insmod "$module" 2> /dev/null; done
until [ -b /dev/vda ]; do /bin/busybox sleep 0.1; done
/bin/busybox mount -t ext4 -o noatime /dev/vda /root
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
END
chmod 755 "$tree/init"
(cd "$tree" && find . | busybox cpio -o -H newc > /out/initrd)
cp "${kernels[0]}" /out/vmlinuz
chmod 644 /out/vmlinuz /out/initrd
