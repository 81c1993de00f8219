#!/usr/bin/env bash
# Everything that a GPU can show of Forger, in one report: tests, verify, step and kernel benchmarks, a training run with its
# pictures, peers, compute-sanitizer. Needs no network and no packages: a bundle made by `./run bundle` holds the binaries and
# their libraries. What a machine lacks, or what there is no time left for, is skipped with a word.
#
# Usage: bench/gpu_report.sh OUT [--minutes N]      OUT: a directory, made new; N: time for all of it, 8 by default
#
# Writes OUT/report.md, OUT/report.json (one object per measurement), OUT/*.png and the full logs under OUT/logs.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${1:?usage: bench/gpu_report.sh OUT [--minutes N]}
minutes=8
[[ ${2:-} == --minutes ]] && minutes=${3:?--minutes needs a number}
[[ ! -e $out ]] || { echo "gpu_report: $out is there already; name a new directory" >&2; exit 2; }
mkdir -p "$out/logs" || exit 1
out=$(cd "$out" && pwd)
cd "$here"

forger=$here/build/release/forger tests=$here/build/release/tests/forger_tests
if [[ -x bin/forger ]]; then # a bundle
  forger=$here/bin/forger tests=$here/bin/forger_tests
  export LD_LIBRARY_PATH=$here/lib:${LD_LIBRARY_PATH:-}
fi
report=$out/report.md json=$out/report.json
failed=0
: >"$json"

say() { printf '%s\n' "$@" | tee -a "$report"; }
left() { echo $((minutes * 60 - SECONDS)); }
# section TITLE SECONDS COMMAND...: runs the command with a time limit; its output goes to a log and, indented, to the report.
section() {
  local title=$1 limit=$2 name code start=$SECONDS
  shift 2
  name=$(tr 'A-Z ' 'a-z-' <<<"$title" | tr -cd 'a-z0-9-')
  say "" "## $title" "" "    ${*//"$here"\//}" ""
  if (($(left) < 5)); then
    say "    skipped: the time is up"
    return
  fi
  ((limit > $(left))) && limit=$(left)
  timeout "$limit" "$@" >"$out/logs/$name.txt" 2>&1
  code=$?
  tail -n "${LINES_SHOWN:-25}" "$out/logs/$name.txt" | sed 's/^/    /' | tee -a "$report"
  ((code == 0)) || { failed=1; say "" "**exit code $code**"; }
  say "" "$((SECONDS - start)) s"
}
# measure SECONDS COMMAND...: a benchmark whose lines of JSON go to report.json.
measure() {
  local limit=$1
  shift
  (($(left) > limit)) || { say "skipped, no time: ${*//"$here"\//}"; return; }
  timeout "$limit" "$@" >>"$json" 2>>"$out/logs/measure-errors.txt" || { failed=1; say "failed: ${*//"$here"\//}"; }
}

# The bytes of a checkpoint's tensors, without the header, which holds the run's options.
tensors_of() {
  local header
  header=$(od -An -t u8 -N 8 "$1") && tail -c "+$((header + 9))" "$1"
}

printf '# Forger on a GPU\n' | tee "$report"
say "" "- date: $(date -u +%F)" "- commit: $(git rev-parse --short HEAD 2>/dev/null || cat "$here/COMMIT" 2>/dev/null || echo unknown)"
if command -v nvidia-smi >/dev/null; then
  say "- device: $(nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv,noheader | head -1)"
fi

section "Doctor" 60 "$forger" doctor
if ! "$forger" verify --device cuda --op increment >"$out/logs/increment.txt" 2>&1; then
  say "" "**There is no usable GPU: $(tail -1 "$out/logs/increment.txt")**"
  exit 1
fi

section "GPU tests" 60 "$tests" --test-case='gpu*,vendor*'
LINES_SHOWN=3 section "Verify" 120 "$forger" verify --device cuda
grep -h MISS "$out/logs/verify.txt" | sed 's/^/    /' | tee -a "$report"

# What the rest runs with: a driver that refuses blocks that wait for each other must not cost all other figures.
launches=
for way in joined apart unfused; do
  if timeout 60 "$forger" train dcgan --device cuda --launches $way --steps 20 --out "$out/logs/$way" >"$out/logs/$way.txt" 2>&1; then
    launches=$way
    break
  fi
  failed=1
  say "" "**--launches $way does not train: $(tail -1 "$out/logs/$way.txt")**"
done
rm -rf "$out"/logs/{joined,apart,unfused}
[[ -n $launches ]] || { say "" "Nothing trains; the rest is left out."; exit 1; }
say "" "All that follows runs with --launches $launches, where nothing else is said."

LINES_SHOWN=8 section "Steps" 60 "$forger" bench step dcgan --device cuda --launches $launches --batches 32,64,128,256,1024 --repeats 15 --format markdown
for precision in tf32 bf16 fp32; do
  measure 30 "$forger" bench step dcgan --device cuda --launches $launches --precision $precision --batches 32,64,128,256,1024 --repeats 15 --format json
  measure 30 "$forger" bench step dcgan --device cuda --launches $launches --precision $precision --fakes shared --batches 32,256,1024 --repeats 15 --format json
  measure 60 "$forger" bench step dcgan --device cuda --launches $launches --precision $precision --providers vendor,cuda --batches 32,256,1024 --repeats 15 --format json
done
for way in unfused apart joined overlapped; do # side by side: a ratio, whatever the machine does meanwhile
  measure 30 "$forger" bench step dcgan --device cuda --launches $way --batches 32,256,1024 --repeats 15 --format json
done
export FORGER_CACHE=$out/logs/cache # plans that are timed here stay here
for precision in tf32 bf16; do
  measure 30 "$forger" bench step dcgan --device cuda --launches $launches --precision $precision --collapse on --batches 32,64,256,1024 --repeats 15 --format json
  measure 60 "$forger" bench step dcgan --device cuda --launches $launches --precision $precision --autotune on --batches 32,256,1024 --repeats 15 --format json
done
LINES_SHOWN=40 section "Launches of a step, slowest first" 30 sh -c "'$forger' bench launches dcgan --device cuda --launches $launches --repeats 10 | head -40"

LINES_SHOWN=12 section "Training 10,000 steps of dcgan" 90 "$forger" train dcgan --device cuda --launches $launches --steps 10000 --checkpoint-every 10000 \
  --sample-every 2500 --log-every 500 --out "$out/logs/run"
cp "$out"/logs/run/*.png "$out/" 2>/dev/null
runs=(again)
[[ $launches == joined ]] && runs+=(overlapped) # which must change no bit; the other ways add up in other orders
for run in once "${runs[@]}"; do
  way=$launches
  [[ $run == overlapped ]] && way=overlapped
  "$forger" train dcgan --device cuda --launches $way --steps 300 --checkpoint-every 300 --out "$out/logs/$run" \
    >"$out/logs/$run.txt" 2>&1
  tensors_of "$out/logs/$run/checkpoint-00000300.safetensors" | sha256sum >"$out/logs/$run.sha256"
done
for run in "${runs[@]}"; do
  if [[ -s $out/logs/$run/checkpoint-00000300.safetensors ]] && cmp -s "$out/logs/once.sha256" "$out/logs/$run.sha256"; then
    say "" "300 steps from one seed, once and $run: byte-identical."
  else
    failed=1
    say "" "**300 steps from one seed, once and $run: they differ.**"
  fi
done
rm -rf "$out/logs/once" "$out/logs/again" "$out/logs/overlapped" "$out"/logs/run/*.safetensors

for batch in 32 256; do
  LINES_SHOWN=60 section "Kernels at batch $batch" 60 "$forger" bench kernels dcgan --device cuda --launches $launches --providers vendor,cuda --batches $batch --repeats 5 --format markdown
done
LINES_SHOWN=3 section "Roofline at batch 256" 60 "$forger" bench kernels dcgan --device cuda --launches $launches --batches 256 --repeats 5 --roofline "$out/roofline.svg"
for precision in tf32 bf16 fp32; do
  measure 60 "$forger" bench kernels dcgan --device cuda --launches $launches --providers vendor,cuda --precision $precision --batches 32,256,1024 --repeats 5 --format json
done

say "" "## Peers" ""
for precision in tf32 bf16; do
  for batch in 256 32; do
    measure 60 python3 bench/peers/dcgan_pytorch.py --device cuda --precision $precision --batch $batch --steps 10 --modes eager,graph,compile
    measure 45 python3 bench/peers/dcgan_jax.py --device cuda --precision $precision --batch $batch --steps 10
  done
done
grep -h skipped "$json" | sed 's/^/    /' | tee -a "$report"
grep -hE '"framework": ?"(pytorch|jax)' "$json" | sed 's/^/    /' | tee -a "$report"

if command -v compute-sanitizer >/dev/null; then
  for op in conv2d conv2d_input_grad conv2d_filter_grad matmul batch_norm_training batch_norm_grad reduce_sum adam; do
    for tool in memcheck racecheck; do
      LINES_SHOWN=3 section "Sanitizer $tool $op" 60 compute-sanitizer --tool $tool --error-exitcode 9 "$forger" verify --device cuda --op $op
    done
  done
else
  say "" "compute-sanitizer is not installed: memcheck and racecheck were not run."
fi

say "" "$([[ $failed == 0 ]] && echo 'Everything that ran passed.' || echo '**Something failed: see above and logs/.**') $SECONDS s in all."
exit $failed
