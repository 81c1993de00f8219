#!/usr/bin/env bash
# Runs .clang-tidy's checks over the project's own .cpp files, with the flags of a configured build. Fails on any finding
# and prints it.
# Usage: tests/tidy.sh BUILD_DIR [NAME...]      NAME: a part of the path of the files to check, such as engine/passes or
#                                               tests/; without one all but tests/, which would take two thirds as long again
# A file that is compiled for several instruction sets is checked once. Left out: emulated .cu files (clang reads them as
# CUDA), code of others (stb), generated files. Some headers of the build may have to be generated first: build once.
# Exit 77 (skipped) where there is no clang-tidy.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${1:?usage: tests/tidy.sh BUILD_DIR [NAME...]}
shift
tidy=$(command -v clang-tidy || command -v clang-tidy-14 || true)
[[ -n $tidy ]] || { echo "skipped: no clang-tidy here (Debian's package clang-tidy)"; exit 77; }
[[ -f $build/compile_commands.json ]] || { echo "tidy: $build has no compile_commands.json; configure it first" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One compilation per file, without what only GCC knows and what clang-tidy cannot read (precompiled headers).
python3 - "$build" "$work" "$PWD" "$@" <<'PYTHON'
import json, os, re, shlex, sys
build, work, root, *names = sys.argv[1:]
ours = re.compile(r"(base|kernels|engine|models|datasets|formats|training|evaluation|interop|cli|bench|tests|examples)/.*\.cpp$")
others = re.compile(r"(^|/)(stb|stb_write)\.cpp$")
chosen = {}
for entry in json.load(open(os.path.join(build, "compile_commands.json"))):
    file = os.path.relpath(os.path.join(entry["directory"], entry["file"]), root)
    if not ours.match(file) or others.search(file) or "cmake_pch" in file or file in chosen:
        continue
    if not any(name in file for name in names) if names else file.startswith("tests/"):
        continue
    words = entry.get("arguments") or shlex.split(entry["command"])
    kept, skip = [], False
    for word, following in zip(words, words[1:] + [""]):
        if skip:
            skip = False
        elif word == "-include" and "cmake_pch" in following:
            skip = True
        elif word != "-Winvalid-pch" and "cmake_pch" not in word:
            kept.append(word)
    chosen[file] = {"directory": entry["directory"], "file": os.path.join(root, file), "arguments": kept}
json.dump(list(chosen.values()), open(os.path.join(work, "compile_commands.json"), "w"))
# The longest first, so that no process is left with one at the end.
with open(os.path.join(work, "files"), "w") as out:
    for file in sorted(chosen, key=lambda f: -os.path.getsize(os.path.join(root, f))):
        out.write(os.path.join(root, file) + "\0")
PYTHON
count=$(tr -cd '\0' <"$work/files" | wc -c)
((count > 0)) || { echo "tidy: no file to check" >&2; exit 2; }
begin=$SECONDS
failed=0
xargs -0 -P "$(nproc)" -n 1 "$tidy" -p "$work" --quiet --extra-arg=-Wno-unknown-warning-option \
  --extra-arg=-Wno-unused-command-line-argument <"$work/files" >"$work/findings" 2>"$work/stderr" || failed=1
# A header's finding comes once per file that includes it.
awk '/: (error|warning): / { show = !seen[$0]++ } show' "$work/findings"
if ((failed)); then
  grep -vE '^[0-9]+ warnings?( and [0-9]+ errors?)? (generated|treated as)|^Suppressed|^Use -header-filter|^[0-9]+ errors? generated' \
    "$work/stderr" || true
fi
echo "tidy: $count files in $((SECONDS - begin)) s, $(grep -cE ': (error|warning): ' "$work/findings" || true) findings"
exit "$failed"
