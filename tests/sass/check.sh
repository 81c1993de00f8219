#!/usr/bin/env bash
# Do all kernels in LIBRARY wait for earlier launches before they touch memory? begin_kernel() (kernels/cuda/launch.h) is their
# first statement, but a compiler may move loads of memory that it takes for constant; so this reads the machine code.
# Usage: check.sh LIBRARY.a
# Takes cuobjdump from $FORGER_PYTHON's environments (with colons between), or the one on the PATH or of the toolkit.
# Exit 77 (skipped) if there is none; 1 where $FORGER_MUST_RUN is set.
set -euo pipefail
library=$(realpath "$1")
IFS=: read -ra pythons <<<"${FORGER_PYTHON:-}"
for python in "${pythons[@]}"; do
  for bin in "$(dirname "$python")"/../lib/python3*/site-packages/nvidia/cu*/bin; do PATH=$bin:$PATH; done
done
PATH=$PATH:/usr/local/cuda/bin
if ! command -v cuobjdump >/dev/null || ! command -v nvdisasm >/dev/null; then
  echo "skipped: no cuobjdump and nvdisasm here (./run crosscheck installs them)"
  [[ -n ${FORGER_MUST_RUN:-} ]] && exit 1
  exit 77
fi
# ACQBULK is griddepcontrol.wait.
cuobjdump -sass -arch sm_90 "$library" | awk '
  function finish() {
    if (name != "" && !waited) { print "never waits: " name; bad = 1 }
  }
  $1 == "Function" { finish(); name = $3; waited = 0; ++kernels; next }
  !waited && match($0, /\*\/ +(@!?U?P[0-9T]+ +)?[A-Z][A-Z0-9_.]*/) {
    n = split(substr($0, RSTART, RLENGTH), words, " ")
    op = words[n]
    if (op ~ /^ACQBULK/) waited = 1
    else if (op ~ /^(LD|ST|ATOM|RED|LDGSTS|UBLK)/ && op !~ /^(LDC|LDS|STS)/) { print op " before the wait: " name; bad = 1 }
  }
  END {
    finish()
    print kernels + 0 " kernels for sm_90"
    exit bad || kernels < 100
  }'
