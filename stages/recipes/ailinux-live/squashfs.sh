#!/bin/bash
# Packs the system. What the ISO has beside it (kernel and initrd, with the links to them) and what
# every boot makes anew is left out.
#
# In:   SQUASHFS_LEVEL, SOURCE_DATE_EPOCH (mksquashfs reads it itself; time options beside it would clash); /in/root
# Out:  /out/filesystem.squashfs
set -euo pipefail

# Extended attributes stay: file capabilities are among them, and a program that loses them fails only when it is used.
mksquashfs /in/root /out/filesystem.squashfs -noappend -quiet -no-progress \
    -comp zstd -Xcompression-level "$SQUASHFS_LEVEL" -b 128K \
    -wildcards -e 'boot/*' 'vmlinuz*' 'initrd.img*' 'dev/*' 'proc/*' 'sys/*' 'run/*' 'tmp/*'
chmod 644 /out/filesystem.squashfs
