#!/usr/bin/env bash
# The DCGAN training step against the same step in PyTorch: both in turn, ROUNDS times, with the same threads.
# Prints every round's medians and the ratio. Usage: bench/compare_step.sh [rounds] [steps]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
rounds=${1:-3} steps=${2:-10} threads=$(nproc)
python=${PYTHON:-/usr/bin/python3}

value() { grep -oE "\"$1\": ?[0-9.]+" | grep -oE '[0-9.]+$'; }

printf '%-8s %12s %12s %7s %14s %14s\n' fakes 'forger ms' 'pytorch ms' ratio 'forger MiB' 'pytorch MiB'
for fakes in predict shared; do
  for ((round = 0; round < rounds; ++round)); do
    ours=$(build/release/forger bench step dcgan --fakes "$fakes" --threads "$threads" --repeats "$steps" --format json)
    peer=$("$python" bench/peers/dcgan_pytorch.py --fakes "$fakes" --threads "$threads" --steps "$steps")
    a=$(value ms_median <<<"$ours") b=$(value median_ms <<<"$peer")
    printf '%-8s %12.1f %12.1f %7.2f %14.0f %14.0f\n' "$fakes" "$a" "$b" "$(bc -l <<<"$a / $b")" \
      "$(value peak_mib <<<"$ours")" "$(value peak_rss_mb <<<"$peer")"
  done
done
