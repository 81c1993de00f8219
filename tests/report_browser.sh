#!/usr/bin/env bash
# Opens reports in a real browser: no error on the console, every plot drawn. Usage: report_browser.sh FORGER
# Exit 77 (skipped) where there is no chromium.
set -euo pipefail
forger=$(realpath "$1")
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [[ -z $browser ]]; then
  echo "skipped: no chromium here (Debian's package chromium)"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# check RUN PLOTS: opens RUN/report.html and expects at least so many plots, none of them empty.
check() {
  timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$work/profile" \
    --enable-logging=stderr --virtual-time-budget=5000 --dump-dom "file://$work/$1/report.html" >"$1.html" 2>"$1.log"
  if grep -E 'CONSOLE|Uncaught' "$1.log"; then
    echo "$1: the browser complains"
    exit 1
  fi
  local ready marks
  ready=$(grep -oP '<body data-ready="\K\d+' "$1.html") || { echo "$1: the script did not reach its end"; exit 1; }
  marks=$(grep -oP 'data-marks="\K\d+' "$1.html")
  if ((ready < $2)) || grep -qx 0 <<<"$marks" || (($(wc -l <<<"$marks") != ready)); then
    echo "$1: $ready plots, expected at least $2, with marks:" $marks
    exit 1
  fi
  grep -qP '<img [^>]*src="data:image/png;base64' "$1.html" || { echo "$1: no picture"; exit 1; }
  echo "$1: $ready plots, none empty"
}

flags=(--threads 1 --batch 16 --log-every 25 --sample-every 100 --steps 300)
"$forger" train normal1d "${flags[@]}" --out line >/dev/null
"$forger" train gaussians4 "${flags[@]}" --out plane >/dev/null
"$forger" train pattern1010 "${flags[@]}" --out 'pattern' >/dev/null
printf '{"fdz": 3.5, "classes": {"histogram": [0.1, 0.2, 0.7]}}' >plane/evaluation.json
"$forger" report plane >/dev/null  # with the evaluation in it
check line 8    # losses, D, accuracy, gradients, diversity, KL, densities, optimal D
check plane 9   # losses, D, accuracy, gradients, diversity, three maps, classes
check pattern 4
