#!/usr/bin/env bash
# What takes too long for every change, in the long versions, with what came of it in a few lines at the end:
#
#     scripts/nightly.sh                       all of it, which takes some hours
#     scripts/nightly.sh faults simulation     some
#
#     canaries     all tests, and how much of what kaito let out was searched for planted secrets
#     faults       a loop at a real API server, which suffers one fault after another
#     simulation   the loop in a simulated world, with another seed for each schedule
#     fuzz         every fuzz target; needs a nightly toolchain and `cargo install cargo-fuzz --locked`
#     hostile      inputs as large as a stranger can make them; Linux only
#     supply       licences, sources, crates and known faults of dependencies; needs `cargo install cargo-deny --locked`
#
# KAITO_TEST_FAULTS (500), KAITO_TEST_SEED (the day), KAITO_TEST_SCHEDULES (200000) and FUZZ_SECONDS (900 for each target) say how much.
# A part that fails doesn't keep the others from being run. The seed is said, so that it can be had again.
set -uo pipefail
cd "$(dirname "$0")/.."

faults() {
  local seed=${KAITO_TEST_SEED:-$(date +%Y%m%d)}
  echo "seed $seed"
  KAITO_TEST_FAULTS=${KAITO_TEST_FAULTS:-500} KAITO_TEST_SEED=$seed \
    cargo test --locked --test main -- --nocapture cluster::faults::schedule::at_random
}

simulation() {
  # A seed would play one schedule alone.
  env -u KAITO_TEST_SEED KAITO_TEST_SCHEDULES="${KAITO_TEST_SCHEDULES:-200000}" \
    cargo test --locked --release --test simulation -- --nocapture schedules
}

fuzz() {
  scripts/fuzz.py run --seconds "${FUZZ_SECONDS:-900}" && scripts/fuzz.py figures
}

hostile() {
  cargo build --locked --release && scripts/hostile.py target/release/kaito
}

supply() {
  cargo deny check && scripts/sbom.py --target x86_64-unknown-linux-musl > target/kaito.cdx.json
}

canaries() {
  cargo test --locked --test main || return
  # One line for each text: what it was, and its bytes.
  awk '{ texts[$1]++; bytes[$1] += $NF } END { for (what in texts) print what, texts[what], "texts", bytes[what], "bytes, no canary" }' \
    target/tmp/searched-for-canaries | sort
}

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(supply canaries simulation hostile faults fuzz)
told=()
failed=0
for part in "${parts[@]}"; do
  case "$part" in
    canaries | faults | simulation | fuzz | hostile | supply) ;;
    *) echo "there is no part $part" >&2 && exit 2 ;;
  esac
  echo "== $part"
  began=$SECONDS
  if "$part"; then word=passed; else word=FAILED failed=1; fi
  told+=("$part: $word after $((SECONDS - began)) s")
done
echo "=="
printf '%s\n' "${told[@]}"
exit "$failed"
