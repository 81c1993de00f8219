// Which instruction set the SIMD kernels run on.
//
// The files under leaf/ are compiled once per instruction set, and the best set that the CPU has is chosen at
// run time, so one binary serves every x86-64 machine. Every kernel takes the set as its last argument; only
// tests and benchmarks pass one.
#pragma once

#include <vector>

namespace forger::simd {

enum class Isa {
  baseline,  // SSE2, which every x86-64 CPU has
  avx2,      // AVX2 and FMA: Haswell, Zen and later
  avx512,    // AVX-512 F, VL, BW and DQ: Skylake-X, Zen 4 and later
};

/// The best instruction set of this CPU (and operating system); found once.
Isa best_isa();

/// All sets that this CPU can run, baseline first.
std::vector<Isa> available_isas();

/// "baseline (SSE2)", "AVX2 + FMA" or "AVX-512".
const char* isa_name(Isa isa = best_isa());

}  // namespace forger::simd
