// One element of a matrix times a vector, by a block: what matmul_narrow.cu and matmul_program.cu share.
#pragma once

#include "kernels/cuda/launch.h"

namespace forger::FORGER_DEVICE {

inline constexpr int kVectorThreads = 256, kVectorWarps = kVectorThreads / 32;

struct VectorSums {
  float sums[kVectorWarps][32];
};

/// bias (null: 0) + sum over k of row[k] b[k], in thread 0. All threads of a block of kVectorThreads must call it.
__device__ __forceinline__ float times_vector(const float* __restrict__ row, const float* __restrict__ b,
                                              const float* __restrict__ bias, int k, VectorSums& shared) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  float sum = 0;
#pragma unroll 4
  for (int i = static_cast<int>(threadIdx.x); i < k; i += kVectorThreads) sum += row[i] * b[i];
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) sum += __shfl_xor_sync(0xFFFFFFFFu, sum, mask);
  if (lane == 0) shared.sums[warp][0] = sum;
  __syncthreads();
  float total = 0.f;
  if (threadIdx.x == 0) {
    total = bias ? bias[0] : 0.f;
    for (int from = 0; from < kVectorWarps; ++from) total += shared.sums[from][0];
  }
  return total;
}

}  // namespace forger::FORGER_DEVICE
