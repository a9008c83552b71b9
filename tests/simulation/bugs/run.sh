#!/bin/sh
# Plants each bug of this directory in a copy of the tree, and shows that the simulation finds it.
# Usage: tests/simulation/bugs/run.sh [PATCH...]; KAITO_TEST_SCHEDULES says how many schedules are played at most.
set -eu
root=$(cd "$(dirname "$0")/../../.." && pwd)
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}/planted" KAITO_TEST_SCHEDULES="${KAITO_TEST_SCHEDULES:-5000}"
# Always in the same place, and built in small steps: a bug changes little. Somewhat optimized, it plays ten times as many schedules.
export CARGO_INCREMENTAL=1 CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=false
copy=$CARGO_TARGET_DIR/copy
trap 'rm -rf "$copy"' EXIT
[ $# -gt 0 ] || set -- "$root"/tests/simulation/bugs/*.patch
missed=0
for patch in "$@"; do
    rm -rf "$copy" && mkdir -p "$copy/tree"
    (cd "$root" && git ls-files -z | xargs -0 tar cf - --) | tar xmf - -C "$copy/tree"
    # As if it were in no repository: within one, git takes paths of a patch for those from its root.
    (cd "$copy/tree" && GIT_CEILING_DIRECTORIES="$copy" git apply "$patch")
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
