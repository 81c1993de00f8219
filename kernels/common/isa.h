// Which of the compiled instruction sets this CPU runs. See vec.h.
#pragma once

namespace forger {

enum class Isa { baseline, avx2, avx512 };

/// The widest one that both the CPU and the operating system support.
inline Isa best_isa() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq")) {
    return Isa::avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::avx2;
#endif
  return Isa::baseline;
}

}  // namespace forger
