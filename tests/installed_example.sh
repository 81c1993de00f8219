#!/usr/bin/env bash
# Installs a build to a folder that is new and uses what is there as somebody without the sources would: compiles every
# header alone, builds and runs the outside program examples/own_gan and looks at its samples, trains and samples with the
# installed program in an empty folder.
# Usage: tests/installed_example.sh BUILD_DIR      needs cmake, a C++20 compiler, python3
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$(realpath "${1:?usage: tests/installed_example.sh BUILD_DIR}")
source=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
fail() { echo "installed_example: $*" >&2; exit 1; }
export LC_ALL=C CXXFLAGS="-Wall -Wextra -Werror"
unset CMAKE_PREFIX_PATH

cmake --install "$build" --prefix "$prefix" >"$work/install.log" || { cat "$work/install.log"; fail "cmake --install failed"; }
for file in bin/forger include/forger/forger.h share/forger/datasets/mnist/train-images-idx3-ubyte.gz \
  share/bash-completion/completions/forger share/zsh/site-functions/_forger share/fish/vendor_completions.d/forger.fish; do
  [[ -s $prefix/$file ]] || fail "$file was not installed"
done
! grep -rlF "$source" "$prefix/include" "$prefix"/lib*/cmake || fail "the files above name the folder of the sources"
bash -n "$prefix/share/bash-completion/completions/forger"

echo "the outside program, and every header alone, against $prefix"
# The headers' project shares find_package with the program's: what a header needs, Forger::forger has to bring.
mkdir "$work/headers"
find "$prefix/include/forger" -name '*.h' -printf '%P\n' | sort >"$work/headers.txt"
while read -r header; do
  echo "#include <forger/$header>" >"$work/headers/${header//\//_}.cpp"
done <"$work/headers.txt"
cat >"$work/headers/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(headers LANGUAGES CXX)
set(CMAKE_NO_SYSTEM_FROM_IMPORTED ON)  # warnings of the headers count
find_package(Forger 0.1 REQUIRED)
file(GLOB sources *.cpp)
add_library(headers OBJECT ${sources})
target_link_libraries(headers PRIVATE Forger::forger)
CMAKE
jobs=$(nproc)
for project in "$source/examples/own_gan" "$work/headers"; do
  name=$(basename "$project")
  cmake -S "$project" -B "$work/build/$name" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_STANDARD=20 >"$work/$name.log" 2>&1 &&
    cmake --build "$work/build/$name" -j "$jobs" >>"$work/$name.log" 2>&1 || { cat "$work/$name.log"; fail "$name does not build"; }
done
echo "$(wc -l <"$work/headers.txt") headers compile alone"

mkdir "$work/run"
cd "$work/run"
"$work/build/own_gan/own_gan"
[[ -s samples.png ]] || fail "no samples.png"
python3 - <<'PYTHON'
# The samples lie on both moons (distance to the nearer half circle) and all along them (share of the eight stretches).
import math, struct
data = open("samples.npy", "rb").read()
size = struct.unpack("<H", data[8:10])[0]
header = data[10:10 + size].decode()
assert "'<f4'" in header and "(2000, 2" in header, header
xy = struct.unpack("<4000f", data[10 + size:])
distances, stretches = [], [0] * 8
for x, y in zip(xy[::2], xy[1::2]):
    near = []
    for moon, (u, v) in enumerate([(x, y), (1 - x, 0.5 - y)]):  # both as the upper half circle around 0
        a = math.atan2(v, u)
        a = a if a >= 0 else (math.pi if a < -math.pi / 2 else 0)
        near.append((math.hypot(u - math.cos(a), v - math.sin(a)), moon * 4 + min(3, int(a / math.pi * 4))))
    distances.append(min(near)[0])
    stretches[min(near)[1]] += 1
mean = sum(distances) / len(distances)
close = sum(d < 0.15 for d in distances) / len(distances)
print(f"distance to the moons: mean {mean:.3f}, {100 * close:.1f} % below 0.15 (data: mean 0.040, 99.8 %); "
      f"samples by stretch {stretches} (data: 250 each)")
assert mean < 0.08 and close > 0.9 and min(stretches) > 100, "the samples do not look like the data"
PYTHON

echo "the installed program in an empty folder"
mkdir "$work/empty"
cd "$work/empty"
"$prefix/bin/forger" train mlp --steps 2 --batch 8 --log-every 1 >train.log || { cat train.log; fail "forger train failed"; }
"$prefix/bin/forger" sample runs/00000-mlp-cpu-seed0 --count 4 --grid 2x2 --out digits.png
[[ -s digits.png ]] || fail "no digits.png"
"$prefix/bin/forger" doctor | grep -q "^MNIST .*60000 images" || fail "forger doctor finds no MNIST"
echo "installed_example: all good"
