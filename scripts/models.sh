#!/usr/bin/env bash
# Checks the protocol's models with spin, the crash model and that of hand-overs: the protocol must hold, and every mutant must be refuted by the invariant it breaks.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v spin >/dev/null || { echo "models: spin is not installed (apt-get install spin)" >&2; exit 1; }
model="$PWD/models/mrkr1_crash.pml"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

verify() { # verify NAME DEFINES...: runs the verifier and prints "errors states"
  local folder="$work/$1"
  shift
  mkdir -p "$folder"
  (
    cd "$folder"
    spin "$@" -a "$model" >spin.log 2>&1
    gcc -O2 -DSAFETY -DMEMLIM=2048 -DVECTORSZ=2048 -w -o pan pan.c
    ./pan -m200000 >pan.log 2>&1
  )
  sed -n 's/.*errors: \([0-9]*\).*/\1/p' "$folder/pan.log" | head -1
  sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' "$folder/pan.log" | head -1
  grep -m1 -o 'assertion violated.*' "$folder/pan.log" || true
}

holds() {
  local name=$1 out
  mapfile -t out < <(verify "$@")
  if [ "${out[0]:-x}" = 0 ]; then
    printf '  holds    %-28s %8s states\n' "$name" "${out[1]}"
  else
    printf '  BROKEN   %-28s %s\n' "$name" "${out[2]:-the verifier did not run}"
    failures=$((failures + 1))
  fi
}

refuted() {
  local name=$1 out
  mapfile -t out < <(verify "$@")
  if [ "${out[0]:-0}" -gt 0 ] 2>/dev/null; then
    printf '  refuted  %-28s %s\n' "$name" "${out[2]:0:70}"
  else
    printf '  SURVIVED %-28s the model does not see this fault\n' "$name"
    failures=$((failures + 1))
  fi
}

echo "The protocol, with the number of crashes and of duplicates or timeouts:"
for storage in wrapped token; do
  define=()
  [ $storage = wrapped ] && define=(-DWRAPPED)
  holds "$storage-2-2" "${define[@]}" -DCR=2 -DDUP=2
  holds "$storage-3-3" "${define[@]}" -DCR=3 -DDUP=3
done
echo "Its mutants:"
for mutant in RELEASE_FIRST NO_DEDUP A_ABORT M3_FIRST RAKB_TOKEN; do
  refuted "token-$mutant" "-DMUT_$mutant"
  refuted "wrapped-$mutant" -DWRAPPED "-DMUT_$mutant"
done
refuted token-NO_SWEEP -DMUT_NO_SWEEP
refuted wrapped-SPLIT_COMMIT -DWRAPPED -DMUT_SPLIT_COMMIT
model="$PWD/models/mrkr1_handover.pml"
echo "The hand-over of a key, with the number of crashes and of losses or failures:"
holds handover-2-3 -DCR=2 -DLOSS=3
holds handover-3-4 -DCR=3 -DLOSS=4
echo "Its mutants:"
for mutant in UNMARKED UNDO_SENT REVOKED_UNDOES MX_UNDOES KEEP_OLDER SPLIT_COMMIT; do
  refuted "handover-$mutant" "-DMUT_$mutant"
done
if [ "$failures" -gt 0 ]; then
  echo "models: $failures as not expected" >&2
  exit 1
fi
