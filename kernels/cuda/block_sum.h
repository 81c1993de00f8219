// Sums over the threads of a warp or a block in a fixed order.
#pragma once

#include "kernels/cuda/launch.h"

namespace forger::FORGER_DEVICE {

/// All 32 lanes get the sum.
template <class T>
__device__ __forceinline__ T warp_sum(T v) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) v += __shfl_xor_sync(0xFFFFFFFFu, v, offset);
  return v;
}
/// All 32 lanes get the largest; a NaN among them may be lost.
__device__ __forceinline__ float warp_max(float v) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) v = fmaxf(v, __shfl_xor_sync(0xFFFFFFFFu, v, offset));
  return v;
}

/// Shared memory of block_sum.
template <unsigned kThreads>
struct BlockSum {
  double warps[kThreads / 32];
};

/// The sum over a block of kThreads, in double; every thread gets it. All threads must call it; `shared` may be used again
/// after the next barrier.
template <unsigned kThreads>
__device__ __forceinline__ double block_sum(double v, BlockSum<kThreads>& shared) {
  v = warp_sum(v);
  if (threadIdx.x % 32 == 0) shared.warps[threadIdx.x / 32] = v;
  __syncthreads();
  double total = 0;
#pragma unroll
  for (unsigned i = 0; i < kThreads / 32; ++i) total += shared.warps[i];
  return total;
}

}  // namespace forger::FORGER_DEVICE
