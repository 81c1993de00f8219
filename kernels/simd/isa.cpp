#include "kernels/simd/isa.h"

#include "kernels/common/errors.h"
#include "kernels/simd/leaf/leaf.h"

namespace forger::simd {

namespace baseline {
Leaf make_leaf();
}
namespace avx2 {
Leaf make_leaf();
}
namespace avx512 {
Leaf make_leaf();
}

namespace {

bool has(Isa isa) {
  switch (isa) {
    case Isa::baseline:
      return true;
    case Isa::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::avx512:
      return has(Isa::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
  }
  return false;
}

}  // namespace

Isa best_isa() {
  static const Isa best = available_isas().back();
  return best;
}

std::vector<Isa> available_isas() {
  std::vector<Isa> found;
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (has(isa)) found.push_back(isa);
  }
  return found;
}

const char* isa_name(Isa isa) {
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

const Leaf& leaf(Isa isa) {
  if (!has(isa)) fail<DeviceError>("this CPU has no {}; use best_isa()", isa_name(isa));
  // Each table is made by code of its own instruction set: only when the CPU has it.
  if (isa == Isa::avx512) {
    static const Leaf table = avx512::make_leaf();
    return table;
  }
  if (isa == Isa::avx2) {
    static const Leaf table = avx2::make_leaf();
    return table;
  }
  static const Leaf table = baseline::make_leaf();
  return table;
}

}  // namespace forger::simd
