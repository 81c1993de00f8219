// What a .cu file sees in place of CUDA's headers when g++ compiles it for the emulator: CUDA's words, its vector types,
// the intrinsics that kernels here use, and PTX's twins.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/emulation/grid.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__

namespace forger::emulated {

using emulation::blockDim;
using emulation::blockIdx;
using emulation::gridDim;
using emulation::threadIdx;

struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct uchar4 {
  unsigned char x, y, z, w;
};
inline float2 make_float2(float x, float y) {
  return {x, y};
}
inline float4 make_float4(float x, float y, float z, float w) {
  return {x, y, z, w};
}

inline float rsqrtf(float x) {
  return 1.f / std::sqrt(x);
}
inline void sincosf(float x, float* s, float* c) {
  *s = std::sin(x);
  *c = std::cos(x);
}
/// Sine and cosine of pi * x.
inline void sincospif(float x, float* s, float* c) {
  constexpr double kPi = 3.14159265358979323846;
  *s = static_cast<float>(std::sin(kPi * static_cast<double>(x)));
  *c = static_cast<float>(std::cos(kPi * static_cast<double>(x)));
}
using std::max;
using std::min;

inline unsigned __float_as_uint(float x) {
  return std::bit_cast<unsigned>(x);
}
inline float __uint_as_float(unsigned x) {
  return std::bit_cast<float>(x);
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((uint64_t{a} * b) >> 32);
}

inline void __syncthreads() {
  emulation::block_barrier();
}
inline int __syncthreads_or(int predicate) {
  return emulation::block_barrier_or(predicate != 0);
}
inline void __syncwarp(unsigned = 0xFFFFFFFFu) {
  const char none = 0;
  emulation::warp_exchange(&none, 1, "__syncwarp");
}

template <class T>
T read_lane(const std::byte* slots, unsigned from) {
  T value;
  const std::byte* slot = slots + (from % emulation::kWarpSize) * emulation::kWarpSlotBytes;
  for (size_t i = 0; i < sizeof(T); ++i) reinterpret_cast<std::byte*>(&value)[i] = slot[i];
  return value;
}
// The kernels here always shuffle whole warps: the mask is for the hardware.
template <class T>
T __shfl_sync(unsigned, T value, int from) {
  return read_lane<T>(emulation::warp_exchange(&value, sizeof(T), "__shfl_sync"), static_cast<unsigned>(from));
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  return read_lane<T>(emulation::warp_exchange(&value, sizeof(T), "__shfl_xor_sync"),
                      emulation::lane() ^ static_cast<unsigned>(mask));
}
/// Lanes that would read beyond the warp keep their own value.
template <class T>
T __shfl_down_sync(unsigned, T value, unsigned delta) {
  const unsigned from = emulation::lane() + delta;
  const std::byte* slots = emulation::warp_exchange(&value, sizeof(T), "__shfl_down_sync");
  return from < emulation::kWarpSize ? read_lane<T>(slots, from) : value;
}

// All threads of a launch run in one thread of the host, in turn: memory is always coherent. Atomics are atomic, and order
// what is around them, for the eyes of ThreadSanitizer: here they always stand beside a fence.
inline void __threadfence() {}
inline unsigned atomicAdd(unsigned* address, unsigned value) {
  return __atomic_fetch_add(address, value, __ATOMIC_ACQ_REL);
}
/// The old value; the new one is one more, or 0 after `last`.
inline unsigned atomicInc(unsigned* address, unsigned last) {
  unsigned old = __atomic_load_n(address, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(address, &old, old >= last ? 0 : old + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
  }
  return old;
}
/// A load past L1.
template <class T>
T __ldcg(const T* address) {
  return *address;
}

}  // namespace forger::emulated

#include "kernels/emulation/ptx.h"
