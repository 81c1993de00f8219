#!/usr/bin/env bash
# Runs every fuzz target for some seconds, from the corpus that is kept. Usage: tests/fuzz/run.sh BUILD_FOLDER SECONDS
set -euo pipefail
build=$1 seconds=$2
corpus=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/corpus
for target in "$build"/fuzz_*; do
  [[ -x $target && -f $target ]] || continue
  name=$(basename "$target")
  found=$build/found/${name#fuzz_}
  mkdir -p "$found"
  if ! "$target" -max_total_time="$seconds" -timeout=20 -max_len=65536 -rss_limit_mb=2048 -artifact_prefix="$found/" \
      "$found" "$corpus/${name#fuzz_}" >"$found.log" 2>&1; then
    tail -40 "$found.log"
    echo "$name: failed; the input is in $found"
    exit 1
  fi
  echo "$name: $(grep -oE 'Done [0-9]+ runs' "$found.log") in $seconds s, passed"
done
