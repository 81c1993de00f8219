#!/usr/bin/env python3
"""Registers, shared memory and theoretical occupancy of every CUDA kernel, as a Markdown table.

Usage: bench/kernel_resources.py [BUILD_FOLDER] > docs/kernel-resources.md

Registers and spills are ptxas's, block size and shared memory those of the launches in the emulated test cases: the least and
the most where they differ (the pipeline of a matrix product is deeper where few blocks share a multiprocessor). Occupancy:
resident warps over the most that a multiprocessor holds, by the rules of the CUDA occupancy calculator, with the most and
with the least shared memory. Needs a build with the CUDA toolkit, no GPU.
"""
import glob
import re
import subprocess
import sys

build = sys.argv[1] if len(sys.argv) > 1 else "build/release"

# Per multiprocessor: registers, warps, blocks, bytes of shared memory; then bytes reserved per block.
LIMITS = {"sm_80": (65536, 64, 32, 164 << 10, 1024), "sm_90": (65536, 64, 32, 228 << 10, 1024)}


def demangle(names):
    out = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    return out.splitlines()


def plain(name):
    """A kernel's name in both worlds: no namespaces, no parameters."""
    name = re.sub(r"\(anonymous namespace\)::|_GLOBAL__N_\w*::|forger::(cuda|emulated)::|forger::", "", name)
    name = re.sub(r"^void ", "", name)
    depth = 0
    for i, c in enumerate(name):  # cut at the parameter list: the first parenthesis outside <>
        depth += (c == "<") - (c == ">")
        if c == "(" and depth == 0 and i > 0:
            return name[:i]
    return name


def ptxas():
    """{kernel: {arch: (registers, spilled bytes)}}"""
    found = {}
    for path in glob.glob(f"{build}/kernels/cuda/CMakeFiles/forger_cuda_kernels.dir/*.ptxas"):
        kernel = arch = None
        spills = 0
        for line in open(path):
            if m := re.search(r"entry function '(\w+)' for '(\w+)'", line):
                kernel, arch = m.groups()
            elif m := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores", line):
                spills = int(m[1]) + int(m[2])
            elif (m := re.search(r"Used (\d+) registers", line)) and kernel:
                found.setdefault(kernel, {})[arch] = (int(m[1]), spills)
                kernel = None
    names = list(found)
    return {plain(d): found[n] for n, d in zip(names, demangle(names))}


def launches():
    """{kernel: (threads, least and most shared bytes)}"""
    program = f"{build}/tests/kernel_launches"
    symbols = {}
    for line in subprocess.run(["nm", "-C", program], capture_output=True, text=True, check=True).stdout.splitlines():
        parts = line.split(" ", 2)
        if len(parts) == 3 and parts[1] in "tTwW" and "_kernel" in parts[2]:
            symbols[int(parts[0], 16)] = plain(parts[2])
    found = {}
    for line in subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines():
        address, threads, shared = line.split()
        name = symbols.get(int(address, 16), "?" + address)
        old = found.get(name, (0, int(shared), 0))
        found[name] = (max(old[0], int(threads)), min(old[1], int(shared)), max(old[2], int(shared)))
    return found


def occupancy(arch, registers, threads, shared):
    total_registers, max_warps, max_blocks, total_shared, reserved = LIMITS[arch]
    warps = -(-threads // 32)
    per_warp = -(-registers * 32 // 256) * 256
    by_registers = (total_registers // per_warp) // warps
    by_shared = total_shared // (-(-(shared + reserved) // 128) * 128)
    blocks = min(by_registers, by_shared, max_blocks, max_warps // warps)
    return blocks * warps / max_warps


def from_to(least, most):
    return least if least == most else f"{least} to {most}"


def main():
    registers, shapes = ptxas(), launches()
    if not registers:
        sys.exit(f"{build}: no ptxas reports; build with the CUDA toolkit first")
    archs = sorted({a for k in registers.values() for a in k})
    version = subprocess.run(["nvcc", "--version"], capture_output=True, text=True).stdout
    release = re.search(r"release ([\d.]+)", version)
    print("# Registers, shared memory and occupancy of the CUDA kernels\n")
    print(f"Written by `bench/kernel_resources.py` from a build with nvcc {release[1] if release else '?'}: not measured on a GPU.\n")
    print("| kernel | threads | shared KiB |" + "".join(f" registers {a} | occupancy | spilled |" for a in archs))
    print("|---|---:|---:|" + "---:|---:|---:|" * len(archs))
    for kernel in sorted(registers):
        threads, least, most = shapes.get(kernel, (0, 0, 0))
        row = f"| `{kernel}` | {threads or 'no case'} | {from_to(f'{least / 1024:.1f}', f'{most / 1024:.1f}')} |"
        for arch in archs:
            count, spilled = registers[kernel].get(arch, (0, 0))
            share = ""
            if threads and arch in LIMITS:
                share = from_to(*(f"{occupancy(arch, count, threads, shared):.0%}" for shared in (most, least)))
            row += f" {count} | {share} | {spilled} |"
        print(row)


main()
