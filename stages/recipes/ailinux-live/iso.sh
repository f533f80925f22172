#!/bin/bash
# Puts the parts into a hybrid ISO: started as a CD or as a disk, by BIOS and by UEFI. No privilege is needed.
# (grub-mkrescue would do it in one line, but its result differs from run to run. GRUB is unsigned: no Secure Boot.)
#
# In:   SOURCE_DATE_EPOCH; /in/filesystem.squashfs /in/vmlinuz /in/initrd.img /in/grub/{grub,early}.cfg
# Out:  /out/ailinux.iso
set -euo pipefail

work=$(mktemp -d)
tree=$work/iso
mkdir -p "$tree"/{.disk,live,boot/grub/i386-pc,EFI/BOOT}
# GRUB finds its own medium by this file, also where another live system is plugged in.
printf 'AILinux live\n' > "$tree/.disk/ailinux"
ln -s /in/filesystem.squashfs /in/vmlinuz /in/initrd.img "$tree/live/"
cp /in/grub/grub.cfg "$tree/boot/grub/grub.cfg"

modules=(iso9660 part_gpt part_msdos normal linux search search_fs_file configfile echo serial terminal ls cat test)

# BIOS: the CD's boot sector and GRUB in one El Torito image.
grub-mkimage -O i386-pc -p /boot/grub -c /in/grub/early.cfg -o "$work/core.img" biosdisk "${modules[@]}"
cat /usr/lib/grub/i386-pc/cdboot.img "$work/core.img" > "$tree/boot/grub/i386-pc/eltorito.img"

# UEFI: GRUB as a file, and once more inside a FAT image, which firmware looks for on disks and CDs.
loader=$tree/EFI/BOOT/BOOTX64.EFI
grub-mkimage -O x86_64-efi -p /boot/grub -c /in/grub/early.cfg -o "$loader" fat all_video efi_gop "${modules[@]}"
# FAT keeps the file's time (mcopy -m) and a serial number (mformat -N): both fixed, or no two images are alike.
touch -d "@$SOURCE_DATE_EPOCH" "$loader"
efi=$work/efi.img
truncate -s "$((($(stat -c %s "$loader") + 65535) / 1024 + 256))K" "$efi"
mformat -i "$efi" -N 41494c58 ::
mmd -i "$efi" ::/EFI ::/EFI/BOOT
mcopy -m -i "$efi" "$loader" ::/EFI/BOOT/BOOTX64.EFI

find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
# -f follows the links to the parts, so that nothing is copied twice. Volume and partition ids come from SOURCE_DATE_EPOCH.
xorriso -as mkisofs -quiet -f -o /out/ailinux.iso -V AILINUX -J -joliet-long -R -r -iso-level 3 \
    --grub2-mbr /usr/lib/grub/i386-pc/boot_hybrid.img -partition_offset 16 --mbr-force-bootable \
    -append_partition 2 0xef "$efi" -appended_part_as_gpt \
    -c boot.catalog -b boot/grub/i386-pc/eltorito.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
    -eltorito-alt-boot -e --interval:appended_partition_2:all:: -no-emul-boot "$tree"
chmod 644 /out/ailinux.iso
