#!/usr/bin/env bash
# What cmake/write_version.cmake makes of a checkout, a changed one, an archive with and without COMMIT, a folder inside
# another repository; and that it leaves a file alone that would not change. Exit 77 (skipped) where there is no git.
set -euo pipefail
script=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../cmake/write_version.cmake")
command -v git >/dev/null || { echo "skipped: no git here"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
git=(git -C "$work/tree" -c user.name=Test -c user.email=test@example.org -c commit.gpgsign=false)

expect() { # expect VERSION [FOLDER]
  cmake -D VERSION=1.2.3 -D SOURCE="${2:-$work/tree}" -D OUT="$work/version.cpp" -P "$script"
  grep -qF "return \"$1\";" "$work/version.cpp" || { echo "expected $1, got:"; cat "$work/version.cpp"; exit 1; }
}

mkdir "$work/tree"
expect "1.2.3"
echo abc1234 >"$work/tree/COMMIT"
expect "1.2.3 (abc1234)"
git init -q "$work/tree"
"${git[@]}" add COMMIT
"${git[@]}" commit -qm first
commit=$("${git[@]}" rev-parse --short HEAD)
expect "1.2.3 ($commit)"
touch -d 2001-01-01 "$work/version.cpp"
expect "1.2.3 ($commit)"
[[ $(date -r "$work/version.cpp" +%Y) == 2001 ]] || { echo "an unchanged version was written again"; exit 1; }
echo untracked >"$work/tree/new"
expect "1.2.3 ($commit)"
echo changed >"$work/tree/COMMIT"
expect "1.2.3 ($commit-dirty)"
mkdir "$work/tree/inside"
expect "1.2.3" "$work/tree/inside"
