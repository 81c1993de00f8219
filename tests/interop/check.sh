#!/usr/bin/env bash
# What other programs make of Forger's files. Usage: check.sh onnx|torch|tensorboard FORGER
# Takes the first Python that has the packages: those of $FORGER_PYTHON (with colons between), python3, /usr/bin/python3.
# Exit 77 (skipped) if none has; 1 where $FORGER_MUST_RUN is set.
set -euo pipefail
what=$1
forger=$(realpath "$2")
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
case $what in
  onnx) packages="onnx onnxruntime numpy" ;;
  torch) packages="torch safetensors numpy" ;;
  tensorboard) packages="tensorboard numpy" ;;
  *) echo "check.sh: no check '$what'"; exit 2 ;;
esac
python=
IFS=: read -ra candidates <<<"${FORGER_PYTHON:-}"
for candidate in "${candidates[@]}" python3 /usr/bin/python3; do
  "$candidate" -c "import ${packages// /, }" 2>/dev/null && { python=$candidate; break; }
done
if [[ -z $python ]]; then
  echo "skipped: no Python here has all of: $packages (./run crosscheck installs them, or name one with FORGER_PYTHON=)"
  [[ -n ${FORGER_MUST_RUN:-} ]] && exit 1
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# A few images are enough: what counts is that batch norm has statistics and every weight has moved.
"$python" - <<'END'
import os
import struct
import numpy
for side in (28, 20):
    os.mkdir(f"data{side}")
    images = numpy.random.default_rng(0).integers(0, 256, (64, side, side)).astype("u1")
    with open(f"data{side}/train-images-idx3-ubyte", "wb") as file:
        file.write(struct.pack(">4i", 2051, 64, side, side) + images.tobytes())
    with open(f"data{side}/train-labels-idx1-ubyte", "wb") as file:
        file.write(struct.pack(">2i", 2049, 64) + bytes(64))
END
export OMP_WAIT_POLICY=passive  # for PyTorch and ONNX Runtime
"$python" "$here/check_$what.py" "$forger"
