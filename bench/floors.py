#!/usr/bin/env python3
"""What a step costs an H200 at least, and what is predicted of it: computed from the plan, not measured, as a Markdown table.

Usage: bench/floors.py [FORGER] [recipe and options of forger explain ...]

Every launch takes the longer of its arithmetic and its bytes, one after the other; bytes at 4.3 TB/s. Both are those of
`forger explain --device cuda`, which counts the padding's multiplications, too.
  floor       arithmetic at what an H200's tensor cores reach at best: 400 TFLOP/s in TF32, 790 in BF16; 3xTF32 a third of TF32
  predicted   arithmetic at 63 % of the tensor cores' peak (989 TFLOP/s in BF16, 494 in TF32), which mma.sync reaches on
              Hopper, and 2 microseconds for every launch of the longest chain
Launches that run side by side and padding that is left out make it less; cold caches and short grids make it more.
"""
import re
import subprocess
import sys

forger = sys.argv[1] if len(sys.argv) > 1 else "build/release/forger"
recipe = sys.argv[2:] or ["dcgan"]

BANDWIDTH, LINK = 4.3e12, 2e-6
BEST = {"tf32": 400e12, "bf16": 790e12, "fp32": 400e12 / 3}
MMA_SYNC = {"tf32": 0.63 * 494e12, "bf16": 0.63 * 989e12, "fp32": 0.63 * 494e12 / 3}


def plan(batch, launches, precision):
    """[(multiply-adds times two, bytes, on the longest chain?)] of every launch"""
    options = ["--device", "cuda", "--batch", str(batch), "--launches", launches, "--precision", precision]
    text = subprocess.run([forger, "explain", *recipe, *options], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^ *\d+([* ]) .* ([\d.]+) MFLOP +([\d.]+) MB", text, re.M)
    return [(float(flops) * 1e6, float(size) * 1e6, star == "*") for star, flops, size in rows]


def microseconds(rows, rate, link=0.0):
    work = sum(max(flops / rate, size / BANDWIDTH) for flops, size, _ in rows)
    return round(1e6 * (work + link * sum(on_chain for *_, on_chain in rows)))


print("| batch | MB unfused | MB | bytes alone | floor TF32 | BF16 | fp32 (3xTF32) | predicted TF32 | BF16 | fp32 (3xTF32) |")
print("|---|" + "---:|" * 9)
for batch in (32, 64, 128, 256, 1024):
    plans = {precision: plan(batch, "joined", precision) for precision in BEST}
    size = sum(row[1] for row in plans["tf32"])
    unfused = sum(row[1] for row in plan(batch, "unfused", "tf32"))
    cells = [batch, f"{unfused / 1e6:.0f}", f"{size / 1e6:.0f}", round(size / BANDWIDTH * 1e6)]
    cells += [microseconds(plans[p], BEST[p]) for p in BEST] + [microseconds(plans[p], MMA_SYNC[p], LINK) for p in BEST]
    print("| " + " | ".join(str(c) for c in cells) + " |")
