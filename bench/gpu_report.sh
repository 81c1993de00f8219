#!/usr/bin/env bash
# Everything that a GPU can show of Forger, in one report: tests, verify, compute-sanitizer, kernel and step benchmarks,
# peers, a training run with its pictures. Needs no network and no packages: a bundle made by `./run bundle` holds the
# binaries and their libraries. What a machine lacks is skipped with a word.
#
# Usage: bench/gpu_report.sh OUT [--quick]      OUT: a directory, made new
#
# Writes OUT/report.md, OUT/report.json (one object per measurement), OUT/*.png and the full logs under OUT/logs.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${1:?usage: bench/gpu_report.sh OUT [--quick]}
quick=0
[[ ${2:-} == --quick ]] && quick=1
[[ ! -e $out ]] || { echo "gpu_report: $out is there already; name a new directory" >&2; exit 2; }
mkdir -p "$out/logs" || exit 1
out=$(cd "$out" && pwd)
cd "$here"

bin=build/release
if [[ -d bin && -x bin/forger ]]; then # a bundle
  bin=bin
  export LD_LIBRARY_PATH=$here/lib:${LD_LIBRARY_PATH:-}
fi
forger=$here/$bin/forger
tests=$here/$bin/forger_tests
[[ -x $tests ]] || tests=$here/$bin/tests/forger_tests
report=$out/report.md json=$out/report.json
failed=0
: >"$json"

say() { printf '%s\n' "$*" | tee -a "$report"; }
# section TITLE SECONDS COMMAND...: runs the command with a time limit; its output goes to a log and, indented, to the report.
section() {
  local title=$1 limit=$2 name code start=$SECONDS
  shift 2
  name=$(tr 'A-Z ' 'a-z-' <<<"$title" | tr -cd 'a-z0-9-')
  say "" "## $title" "" "    $(sed "s#$here/##g" <<<"$*")" ""
  timeout "$limit" "$@" >"$out/logs/$name.txt" 2>&1
  code=$?
  tail -n "${LINES_SHOWN:-25}" "$out/logs/$name.txt" | sed 's/^/    /' | tee -a "$report"
  ((code == 0)) || { failed=1; say "" "**failed with exit code $code**"; }
  say "" "$((SECONDS - start)) s"
}
# measure COMMAND...: a benchmark whose lines of JSON go to report.json.
measure() {
  timeout 120 "$@" --format json >>"$json" 2>>"$out/logs/measure-errors.txt" || { failed=1; say "failed: $*"; }
}

printf '# Forger on a GPU\n' | tee "$report"
say "" "- date: $(date -u +%F)" "- commit: $(git rev-parse --short HEAD 2>/dev/null || cat "$here/COMMIT" 2>/dev/null || echo unknown)"
if command -v nvidia-smi >/dev/null; then
  say "- device: $(nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv,noheader | head -1)"
fi

section "Doctor" 60 "$forger" doctor
if ! "$forger" verify --device cuda --op increment >/dev/null 2>&1; then
  say "" "**There is no usable GPU: nothing else was run.**"
  exit 1
fi

section "GPU tests" 120 "$tests" --test-case='gpu*' --no-skip
LINES_SHOWN=12 section "Verify" 180 "$forger" verify --device cuda
grep -h MISS "$out/logs/verify.txt" | sed 's/^/    /' | tee -a "$report"

if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck; do
    for op in conv2d conv2d_input_grad conv2d_filter_grad matmul batch_norm_training batch_norm_grad reduce_sum adam; do
      LINES_SHOWN=3 section "Sanitizer $tool $op" 60 compute-sanitizer --tool "$tool" --error-exitcode 9 "$forger" verify --device cuda --op "$op"
    done
    ((quick)) && break
  done
else
  say "" "compute-sanitizer is not installed: memcheck and racecheck were not run."
fi

batches=32,64,128,256,1024
((quick)) && batches=32,256
say "" "## Steps" ""
for precision in tf32 bf16 fp32; do
  for fakes in predict shared; do
    measure "$forger" bench step dcgan --device cuda --precision $precision --fakes $fakes --batches $batches --repeats 15
  done
  measure "$forger" bench step dcgan --device cuda --precision $precision --providers vendor,cuda --batches $batches --repeats 15
done
section "Step times" 120 "$forger" bench step dcgan --device cuda --batches $batches --repeats 15 --format markdown
LINES_SHOWN=45 section "Launches of a step, slowest first" 60 "$forger" bench launches dcgan --device cuda --repeats 10
for batch in ${batches//,/ }; do
  for precision in tf32 bf16 fp32; do
    ((quick)) && [[ $precision != tf32 ]] && continue
    measure "$forger" bench kernels dcgan --device cuda --providers vendor,cuda --precision $precision --batches "$batch" --repeats 5 --op conv2d
    measure "$forger" bench kernels dcgan --device cuda --providers vendor,cuda --precision $precision --batches "$batch" --repeats 5 --op conv2d_input_grad
    measure "$forger" bench kernels dcgan --device cuda --providers vendor,cuda --precision $precision --batches "$batch" --repeats 5 --op conv2d_filter_grad
  done
done
LINES_SHOWN=60 section "Kernels at batch 32" 120 "$forger" bench kernels dcgan --device cuda --providers vendor,cuda --batches 32 --repeats 5 --format markdown
LINES_SHOWN=60 section "Kernels at batch 256" 120 "$forger" bench kernels dcgan --device cuda --providers vendor,cuda --batches 256 --repeats 5 --format markdown

for peer in dcgan_pytorch dcgan_jax; do
  [[ -f bench/peers/$peer.py ]] || continue
  for batch in ${batches//,/ }; do
    timeout 150 python3 "bench/peers/$peer.py" --device cuda --batch "$batch" --steps 30 >>"$json" 2>>"$out/logs/$peer.txt" ||
      say "$peer at batch $batch did not run: $(tail -1 "$out/logs/$peer.txt")"
  done
done

say "" "## Training" ""
steps=10000
((quick)) && steps=1000
rm -rf "$out/logs/run" "$out/logs/again"
LINES_SHOWN=12 section "Training $steps steps of dcgan" 240 "$forger" train dcgan --device cuda --steps $steps --checkpoint-every $steps \
  --sample-every $((steps / 4)) --log-every $((steps / 20)) --out "$out/logs/run"
cp "$out"/logs/run/*.png "$out/" 2>/dev/null
"$forger" train dcgan --device cuda --steps 300 --checkpoint-every 300 --out "$out/logs/once" >/dev/null 2>&1
"$forger" train dcgan --device cuda --steps 300 --checkpoint-every 300 --out "$out/logs/again" >/dev/null 2>&1
if cmp -s "$out/logs/once/checkpoint-00000300.safetensors" "$out/logs/again/checkpoint-00000300.safetensors"; then
  say "" "Two runs of 300 steps from one seed: checkpoints byte-identical."
else
  failed=1
  say "" "**Two runs of 300 steps from one seed differ.**"
fi
rm -rf "$out/logs/once" "$out/logs/again" "$out"/logs/run/*.safetensors
say "" "$([[ $failed == 0 ]] && echo 'Everything passed.' || echo '**Something failed: see above and logs/.**') $SECONDS s in all."
exit $failed
