#!/bin/bash
# The system as a file system image. QEMU keeps what the machine writes apart from it, so it needs no journal.
#
# In:   /in/root    Out:  /out/disk
set -euo pipefail
mke2fs -q -t ext4 -O ^has_journal,^metadata_csum -E lazy_itable_init=0,root_owner=0:0 -m 0 -d /in/root /out/disk 1536M
chmod 644 /out/disk
