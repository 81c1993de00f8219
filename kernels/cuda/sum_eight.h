// A warp's reduction of eight values at once: 9 shuffles instead of 40.
#pragma once

#include "kernels/cuda/launch.h"

namespace forger::FORGER_DEVICE {

/// Sums of eight values over a warp: lane l gets that of values[l / 4]. Spoils `values`.
__device__ __forceinline__ float sum_eight(float (&values)[8]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int half = 4; half > 0; half /= 2) {  // each lane keeps half of the values and gives the others away
    const bool upper = lane & (4 * half);
#pragma unroll
    for (int i = 0; i < half; ++i) {
      const float keep = upper ? values[i + half] : values[i], give = upper ? values[i] : values[i + half];
      values[i] = keep + __shfl_xor_sync(0xFFFFFFFFu, give, 4 * half);
    }
  }
  values[0] += __shfl_xor_sync(0xFFFFFFFFu, values[0], 2);
  return values[0] + __shfl_xor_sync(0xFFFFFFFFu, values[0], 1);
}

}  // namespace forger::FORGER_DEVICE
