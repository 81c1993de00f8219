#!/usr/bin/env bash
# How much longer a DCGAN training step takes beside busy processes: quiet, with one and with two, in turn, ROUNDS times.
# Prints each round's medians, and for each of the three the median over rounds and its ratio to quiet. PyTorch's step runs
# beside (bench/peers) where it is installed. Usage: bench/busy.sh [threads] [rounds] [steps]
# FORGER names another build to time, such as that of an earlier commit.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
threads=${1:-2} rounds=${2:-5} steps=${3:-10}
forger=${FORGER:-build/release/forger} python=${PYTHON:-/usr/bin/python3}

hogs=()
end_hogs() {
  for pid in ${hogs[@]+"${hogs[@]}"}; do kill "$pid" 2>/dev/null || true; done
  hogs=()
}
trap end_hogs EXIT
trap 'exit 130' INT TERM HUP

start_hogs() {  # count
  for ((i = 0; i < $1; ++i)); do
    bash -c 'while :; do :; done' &
    hogs+=($!)
    disown $!
  done
}

value() { grep -oE "\"$1\": ?[0-9.]+" | grep -oE '[0-9.]+$'; }
median() { sort -g | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }

step_of() {  # peer
  case $1 in
    forger) "$forger" bench step dcgan --threads "$threads" --repeats "$steps" --format json | value ms_median ;;
    pytorch) "$python" bench/peers/dcgan_pytorch.py --threads "$threads" --steps "$steps" | value median_ms ;;
  esac
}

peers=(forger)
if "$python" -c 'import torch' 2>/dev/null; then
  peers+=(pytorch)
else
  echo "PyTorch is not installed for $python: Forger only"
fi

echo "$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | xargs), $(nproc) CPUs; $threads threads, medians of $steps steps in ms"
printf '%-8s %6s %10s %10s %10s\n' step round quiet '1 busy' '2 busy'
results=$(mktemp)
trap 'end_hogs; rm -f "$results"' EXIT
for ((round = 1; round <= rounds; ++round)); do
  for peer in "${peers[@]}"; do
    row=()
    for busy in 0 1 2; do
      start_hogs "$busy"
      ms=$(step_of "$peer")
      end_hogs
      row+=("$ms")
      echo "$peer $busy $ms" >>"$results"
    done
    printf '%-8s %6d %10.1f %10.1f %10.1f\n' "$peer" "$round" "${row[@]}"
  done
done
for peer in "${peers[@]}"; do
  row=()
  for busy in 0 1 2; do row+=("$(awk -v p="$peer" -v b="$busy" '$1 == p && $2 == b {print $3}' "$results" | median)"); done
  printf '%-8s %6s %10.1f %10.1f %10.1f\n' "$peer" median "${row[@]}"
  printf '%-8s %6s %10.2f %10.2f %10.2f\n' "$peer" ratio 1 "$(bc -l <<<"${row[1]} / ${row[0]}")" \
    "$(bc -l <<<"${row[2]} / ${row[0]}")"
done
