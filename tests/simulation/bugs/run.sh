#!/bin/sh
# Plants each bug of this directory in a copy of the tree, and shows that the simulation finds it.
# Usage: tests/simulation/bugs/run.sh [PATCH...]; KAITO_TEST_SCHEDULES says how many schedules are played at most.
set -eu
root=$(cd "$(dirname "$0")/../../.." && pwd)
# What kaito depends on is there already, and of kaito only what a patch changes is built anew.
export CARGO_BUILD_BUILD_DIR="${CARGO_TARGET_DIR:-$root/target}" CARGO_INCREMENTAL=1
export CARGO_TARGET_DIR="$CARGO_BUILD_BUILD_DIR/planted" KAITO_TEST_SCHEDULES="${KAITO_TEST_SCHEDULES:-100000}"
copy="$CARGO_TARGET_DIR/tree" log="$CARGO_TARGET_DIR/log"
# The copy is no part of the repository that it is in.
export GIT_CEILING_DIRECTORIES="$CARGO_TARGET_DIR"
rm -rf "$copy" && mkdir -p "$copy"
(cd "$root" && git ls-files -z | xargs -0 tar cf - --) | tar xmf - -C "$copy"
[ $# -gt 0 ] || set -- "$root"/tests/simulation/bugs/*.patch
missed=0
for patch in "$@"; do
    patch=$(cd "$(dirname "$patch")" && pwd)/$(basename "$patch")
    (cd "$copy" && git apply "$patch")
    echo "== $(basename "$patch" .patch): $(head -n 1 "$patch")"
    if (cd "$copy" && cargo test --locked --test simulation -- schedules --nocapture) >"$log" 2>&1; then
        echo "   MISSED in $KAITO_TEST_SCHEDULES schedules"
        missed=1
    elif ! sed -n '/^after [0-9]* schedules, seed/,/^again/s/^/   /p' "$log" | grep .; then
        tail -n 20 "$log"
        missed=1
    fi
    (cd "$copy" && git apply --reverse "$patch")
done
exit "$missed"
