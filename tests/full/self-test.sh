#!/bin/bash
# The summary of scripts/full, in a repository with parts of its own.
#
#   self-test.sh SOURCE
set -euo pipefail

source=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/repository"
cd "$work/repository"
git init -q
git config user.name test
git config user.email test@example.org
mkdir -p scripts tests/full
cp "$source/scripts/full" scripts/
echo build/ > .gitignore
cat > tests/full/parts.sh << 'END'
limit=${TEST_LIMIT:-60}
part good "ends well"
part bad "ends as the file says"
part_good() { true; }
part_bad() { if [ -e build/slow ]; then sleep 30; fi; [ ! -e build/fails ]; }
END
git add .
git commit -qm first

# expect STATUS TEXT COMMAND...: how it ends, and a pattern that a line of its output has.
expect() {
    local wanted=$1 text=$2 status=0
    shift 2
    "$@" > "$work/output" 2>&1 || status=$?
    if [ $status != "$wanted" ] || ! grep -qE -- "$text" "$work/output"; then
        printf '%s: expected %s and /%s/, got %s and\n' "$*" "$wanted" "$text" "$status"
        cat "$work/output"
        exit 1
    fi
}

expect 0 '^good +ends well$' scripts/full --list
expect 2 "no part 'none'" scripts/full none
expect 1 '^good .* missing$' scripts/full --summary
expect 1 '^0 of 2 parts passed' scripts/full --summary

expect 0 '^full: good: passed, [0-9]+ s$' scripts/full good
expect 1 "^good +[0-9]+ s  $(id -un) +passed\$" scripts/full --summary
expect 1 '^bad .* missing$' scripts/full --summary
expect 1 '^1 of 2 parts passed for commit ' scripts/full --summary

touch build/fails
expect 1 '^full: bad: FAILED \(1\), ' scripts/full bad
expect 1 '^bad .* FAILED \(1\)$' scripts/full --summary
rm build/fails
touch build/slow
expect 1 '^full: bad: cut after 1 s, ' env TEST_LIMIT=1 scripts/full bad
expect 1 '^bad .* cut after 1 s$' scripts/full --summary
rm build/slow
expect 0 '^2 of 2 parts passed for commit [0-9a-f]{12}, in [0-9]+ s$' scripts/full
expect 0 '^2 of 2 parts passed' scripts/full --summary

# A part that was killed has said that it began.
sed -i 's/^result .*/result unfinished/' build/full/bad
expect 1 '^bad .* unfinished$' scripts/full --summary
expect 0 passed scripts/full bad

# Another commit, and a tree that no commit describes.
git commit -q --allow-empty -m second
expect 1 '^good .* of another commit \([0-9a-f]{12}: passed\)$' scripts/full --summary
expect 1 '^0 of 2 parts passed' scripts/full --summary
echo more >> .gitignore
expect 0 passed scripts/full good
expect 1 '^good .* of a changed tree \(passed\)$' scripts/full --summary
expect 1 'the tree has changes that no part counts for$' scripts/full --summary
git checkout -q .gitignore
expect 0 '^2 of 2 parts passed' scripts/full
echo "all as expected"
