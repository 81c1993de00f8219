#!/usr/bin/env bash
# Opens reports in a real browser: no error on the console, every plot drawn, the slider moves. Usage: check.sh FORGER
# Exit 77 (skipped) where there is no chromium; 1 where $FORGER_MUST_RUN is set. With $FORGER_SCREENSHOTS=DIR it leaves a
# picture of every report there.
set -euo pipefail
forger=$(realpath "$1")
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
mnist=$(realpath "$here/../../datasets/mnist")
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [[ -z $browser ]]; then
  echo "skipped: no chromium here (Debian's package chromium; ./run crosscheck installs it)"
  [[ -n ${FORGER_MUST_RUN:-} ]] && exit 1
  exit 77
fi
screenshots=${FORGER_SCREENSHOTS:+$(realpath "$FORGER_SCREENSHOTS")}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# browse WIDTH [flags] FILE
browse() {
  timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$work/profile" \
    --hide-scrollbars --enable-logging=stderr --window-size="$1",2600 "${@:2}"
}

# check RUN WIDTH PANEL...: opens RUN/report.html in a window of this width and expects plots under these titles, at least.
check() {
  local run=$1 width=$2 probe panel
  shift 2
  { cat "$run/report.html"; echo '<script>'; cat "$here/probe.js"; echo '</script>'; } >"$run/probed.html"
  browse "$width" --virtual-time-budget=20000 --dump-dom "file://$work/$run/probed.html" >"$run.html" 2>"$run.log"
  if grep -E 'CONSOLE|Uncaught' "$run.log"; then
    echo "$run: the browser complains"
    exit 1
  fi
  probe=$(grep -oP '<body [^>]*data-probe="\K[^"]*' "$run.html") || { echo "$run: the page's scripts did not reach their end"; exit 1; }
  probe=${probe//&quot;/\"} probe=${probe//&amp;/&}
  if [[ $probe != *'"problems":[]'* ]]; then
    echo "$run: $probe"
    exit 1
  fi
  for panel in "$@"; do
    [[ $probe == *"\"$panel"* ]] || { echo "$run: no plot '$panel' in $probe"; exit 1; }
  done
  echo "$run, $width pixels: $(grep -o 'data-marks="[1-9]' "$run.html" | wc -l) plots, none empty, the slider moves"
  [[ -z $screenshots ]] || browse "$width" --screenshot="$screenshots/$run.png" "file://$work/$run/report.html" 2>/dev/null
}

train() {
  "$forger" train "$1" --threads 1 --out "$2" "${@:3}" >"$2.txt" || { tail -3 "$2.txt"; exit 1; }
}
points=(--batch 16 --log-every 25 --sample-every 100 --steps 600)
images=(--data "$mnist" --batch 8 --log-every 1 --sample-every 2 --steps 5)
curves=(Losses "What D says" "D's accuracy" "Gradient norms" "What a step changes")
train normal1d line "${points[@]}"
train gaussians4 plane "${points[@]}"
train ring8 ring "${points[@]}" --eval-every 200
train pattern1010 pattern "${points[@]}"
train dcgan dcgan "${images[@]}"
train mlp mlp "${images[@]}" --holdout 1000 --eval-every 2
train mlp classes "${images[@]}" --conditional concat --grid 2x10
train stacked-mnist stacked "${images[@]}"
train began energies "${images[@]}"

samples="Samples compared with real ones"
check line 1280 "${curves[@]}" "$samples" "KL(real || fake)" "Densities" "D(x) and the optimal D, p/(p+q)"
check plane 1280 "${curves[@]}" "$samples" "The plane: blue real, red fake"
check ring 1280 "${curves[@]}" "$samples" Covered Modes "The plane: blue real, red fake"
check pattern 1280 "${curves[@]}"
for run in mlp dcgan classes stacked energies; do check "$run" 1280 "${curves[@]}" "$samples"; done
check dcgan 500 "${curves[@]}"

# What forger eval measures is in the next report.
"$forger" eval mlp --data "$mnist" --count 500 --format json >mlp/evaluation.json
"$forger" eval plane --format json >plane/evaluation.json
for run in mlp plane; do "$forger" report "$run" >/dev/null; done
check mlp 1280 "${curves[@]}" "D on images it learns from" FDz KID "Precision, recall" Covered "What the classifier says" Copies \
  "Classes at step 4" "Classes (class_shares)"
grep -q '<td>precision</td>' mlp.html || { echo "mlp: the evaluation is not in the page"; exit 1; }
check plane 1280 "${curves[@]}"
grep -q '<td>high_quality</td>' plane.html || { echo "plane: the evaluation is not in the page"; exit 1; }
