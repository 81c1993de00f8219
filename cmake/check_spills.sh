#!/bin/sh
# Fails, and names the kernels, if ptxas spilled a register or used a stack frame in any of the given object files.
# Their reports are kept by keep_ptxas_report.sh.
for object in "$@"; do
  [ -s "$object.ptxas" ] || { echo "$object.ptxas is missing or empty: build again" >&2; exit 1; }
done
reports=$(for object in "$@"; do printf '%s\n' "$object.ptxas"; done)
echo "$reports" | xargs awk '
  /Compiling entry function/ { kernel = $6 " for " $8; ++kernels }
  /bytes stack frame/ && !/ 0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads/ { print kernel ":" $0; ++bad }
  END { printf "%d kernels, %d with a stack frame or spills\n", kernels, bad; exit bad > 0 || kernels == 0 }'
