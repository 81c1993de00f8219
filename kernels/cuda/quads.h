// Four neighbouring elements at a time: 16-byte accesses, and single ones where a tensor ends inside the four.
#pragma once

#include "kernels/cuda/launch.h"

namespace forger::FORGER_DEVICE {

/// Elements 4 * quad .. 4 * quad + 3 of x [n]; zeros beyond its end. x is aligned to 16 bytes.
__device__ __forceinline__ float4 load_quad(const float* x, int64_t quad, int64_t n) {
  const int64_t i = 4 * quad;
  if (i + 4 <= n) return *reinterpret_cast<const float4*>(x + i);
  return make_float4(i < n ? x[i] : 0.f, i + 1 < n ? x[i + 1] : 0.f, i + 2 < n ? x[i + 2] : 0.f, 0.f);
}

__device__ __forceinline__ void store_quad(float* y, int64_t quad, int64_t n, float4 v) {
  const int64_t i = 4 * quad;
  if (i + 4 <= n) {
    *reinterpret_cast<float4*>(y + i) = v;
    return;
  }
  if (i < n) y[i] = v.x;
  if (i + 1 < n) y[i + 1] = v.y;
  if (i + 2 < n) y[i + 2] = v.z;
}

/// f on each of the four.
template <class F>
__device__ __forceinline__ float4 map_quad(float4 a, const F& f) {
  return make_float4(f(a.x), f(a.y), f(a.z), f(a.w));
}
template <class F>
__device__ __forceinline__ float4 map_quad(float4 a, float4 b, const F& f) {
  return make_float4(f(a.x, b.x), f(a.y, b.y), f(a.z, b.z), f(a.w, b.w));
}

/// Blocks for n elements when each thread takes `quads` quads.
inline unsigned blocks_for(int64_t n, unsigned threads, int quads = 1) {
  return static_cast<unsigned>(ceil_div(ceil_div(n, 4), int64_t{threads} * quads));
}

}  // namespace forger::FORGER_DEVICE
