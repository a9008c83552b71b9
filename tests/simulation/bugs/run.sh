#!/bin/sh
# Plants each bug of this directory in a copy of the tree, and shows that the simulation finds it.
# Usage: tests/simulation/bugs/run.sh [PATCH...]; KAITO_TEST_SCHEDULES says how many schedules are played at most.
set -eu
root=$(cd "$(dirname "$0")/../../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}/planted" KAITO_TEST_SCHEDULES="${KAITO_TEST_SCHEDULES:-5000}"
[ $# -gt 0 ] || set -- "$root"/tests/simulation/bugs/*.patch
missed=0
for patch in "$@"; do
    rm -rf "$copy/tree" && mkdir "$copy/tree"
    (cd "$root" && git ls-files -z | xargs -0 tar cf - --) | tar xmf - -C "$copy/tree"
    (cd "$copy/tree" && git apply "$patch")
    echo "== $(basename "$patch" .patch): $(head -n 1 "$patch")"
    if (cd "$copy/tree" && cargo test --locked --test simulation -- schedules --nocapture) >"$copy/log" 2>&1; then
        echo "   MISSED in $KAITO_TEST_SCHEDULES schedules"
        missed=1
    elif ! sed -n '/^after [0-9]* schedules, seed/,/^again/s/^/   /p' "$copy/log" | grep .; then
        tail -n 20 "$copy/log"
        missed=1
    fi
done
exit "$missed"
