// Which instruction set the vectorised kernels run on.
//
// Their inner loops are compiled once per instruction set (cmake/isa.cmake, vec.h), and the best one that the CPU has
// is chosen at run time, so one binary serves every x86-64 machine. Only tests and benchmarks choose another.
#pragma once

#include <vector>

#include "kernels/common/errors.h"

namespace forger {

enum class Isa {
  baseline,  // SSE2, which every x86-64 CPU has
  avx2,      // AVX2 and FMA: Haswell, Zen and later
  avx512,    // AVX-512 F, VL, BW and DQ: Skylake-X, Zen 4 and later
};

/// All sets that this CPU and its operating system can run, baseline first, best last.
inline std::vector<Isa> available_isas() {
  std::vector<Isa> found = {Isa::baseline};
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return found;
  found.push_back(Isa::avx2);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq")) {
    found.push_back(Isa::avx512);
  }
  return found;
}

/// The best of them; found once.
inline Isa best_isa() {
  static const Isa best = available_isas().back();
  return best;
}

/// "baseline (SSE2)", "AVX2 + FMA" or "AVX-512".
inline const char* isa_name(Isa isa = best_isa()) {
  switch (isa) {
    case Isa::baseline:
      return "baseline (SSE2)";
    case Isa::avx2:
      return "AVX2 + FMA";
    case Isa::avx512:
      return "AVX-512";
  }
  return "unknown";
}

/// The one that was compiled for `isa`, of three functions. Throws DeviceError if this CPU lacks that set.
template <class Function>
Function* for_isa(Isa isa, Function* baseline, Function* avx2, Function* avx512) {
  if (isa > best_isa()) fail<DeviceError>("this CPU has no {}; use best_isa()", isa_name(isa));
  return isa == Isa::avx512 ? avx512 : isa == Isa::avx2 ? avx2 : baseline;
}

}  // namespace forger
