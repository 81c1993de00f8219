// A roofline picture (Williams, Waterman and Patterson 2009): how near kernels come to what the machine allows.
#pragma once

#include <span>
#include <string>

#include "bench/kernel_bench.h"

namespace forger {

/// An SVG of the kernels that a step uses: arithmetic intensity in FLOP per byte across, GFLOP/s up, both logarithmic, under
/// the measured ceilings of memory and arithmetic. A disc's area is the kernel's share of the step's time; only the first
/// kernel of every problem is drawn, the one that the step uses. Every disc has a tooltip.
/// Kernels that neither add nor multiply (copies, random numbers) are left out. Throws ConfigError if nothing is left.
std::string roofline_svg(std::span<const KernelTime> kernels, const Ceilings& ceilings, const std::string& title);

}  // namespace forger
