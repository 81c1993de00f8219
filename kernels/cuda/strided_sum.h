// A thread's share of a long sum.
#pragma once

#include "kernels/cuda/launch.h"

namespace forger::FORGER_DEVICE {

/// This thread's part of the sum of x [n], shared by kStride threads of which it is number `rank`. Four loads in flight;
/// 16 bytes each if x is `aligned` to them. x may lie in shared memory.
template <int kStride, class Index>
__device__ __forceinline__ float strided_sum(const float* x, Index n, Index rank, bool aligned) {
  constexpr int kUnroll = 4;
  float sums[kUnroll] = {};
  if (aligned) {
    const auto* quads = reinterpret_cast<const float4*>(x);
    const Index count = n / 4;
    Index i = rank;
    for (; i + (kUnroll - 1) * kStride < count; i += kUnroll * kStride) {
#pragma unroll
      for (int k = 0; k < kUnroll; ++k) {
        const float4 v = quads[i + k * kStride];
        sums[k] += (v.x + v.y) + (v.z + v.w);
      }
    }
    for (; i < count; i += kStride) {
      const float4 v = quads[i];
      sums[0] += (v.x + v.y) + (v.z + v.w);
    }
    if (rank < n % 4) sums[1] += x[4 * count + rank];
  } else {
    Index i = rank;
    for (; i + (kUnroll - 1) * kStride < n; i += kUnroll * kStride) {
#pragma unroll
      for (int k = 0; k < kUnroll; ++k) sums[k] += x[i + k * kStride];
    }
    for (; i < n; i += kStride) sums[0] += x[i];
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace forger::FORGER_DEVICE
