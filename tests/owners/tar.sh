#!/bin/bash
# The installed system as a tar, and what it says of owners: one line a path, sorted, without times and without sizes of
# files, some of which have a time in their content.
set -euo pipefail
tar --create --file /out/system.tar --directory /in/root --sort=name --numeric-owner .
tar --list --verbose --numeric-owner --file /out/system.tar |
    awk '{ type = substr($1, 1, 1); size = type == "c" || type == "b" ? $3 : ""; $3 = size; $4 = $5 = ""; print }' > /out/owners
