// out[i,:] = table[indices[i],:], bytes 0..255 becoming -1..1.
//
// Threads: each makes kUnits units of the output, a block's width apart. A unit is four elements where rows are
// multiples of four, else one: stores, which are four times the bytes of a u8 table's loads, are then 16 bytes wide and
// coalesced. The index is read once per unit and hits L1. Shared memory: none.
#include "kernels/cuda/gather.h"

#include "kernels/cuda/divisor.h"

namespace forger::FORGER_DEVICE {
namespace {

constexpr unsigned kThreads = 128;
constexpr int kUnits = 2;

__device__ __forceinline__ float convert(uint8_t v) {
  return static_cast<float>(v) / 127.5f - 1.f;
}
__device__ __forceinline__ float convert(float v) {
  return v;
}
__device__ __forceinline__ float4 convert(uchar4 v) {
  return make_float4(convert(v.x), convert(v.y), convert(v.z), convert(v.w));
}
__device__ __forceinline__ float4 convert(float4 v) {
  return v;
}

/// Sizes in units.
template <class From, class To>
__global__ void __launch_bounds__(kThreads)
    gather_rows_f32_kernel(const From* __restrict__ table, const int32_t* __restrict__ indices, int64_t total, Divisor row,
                           To* __restrict__ out) {
  begin_kernel();
  const int64_t first = int64_t{blockIdx.x} * (kUnits * kThreads) + threadIdx.x;
  From v[kUnits] = {};
#pragma unroll
  for (int k = 0; k < kUnits; ++k) {
    const int64_t i = first + k * int64_t{kThreads};
    if (i >= total) continue;
    const int64_t r = row.divide(i);
    v[k] = table[indices[r] * row.value + (i - r * row.value)];
  }
#pragma unroll
  for (int k = 0; k < kUnits; ++k) {
    const int64_t i = first + k * int64_t{kThreads};
    if (i < total) out[i] = convert(v[k]);
  }
}

template <class Scalar, class Four>
void gather_any(const Scalar* table, const int32_t* indices, int64_t count, int64_t row, float* out, Stream stream) {
  const int64_t width = row % 4 == 0 ? 4 : 1, total = count * row / width;
  if (total == 0) return;
  const LaunchShape shape{.grid_x = static_cast<unsigned>(ceil_div(total, kUnits * kThreads)), .threads = kThreads};
  if (width == 4) {
    launch(gather_rows_f32_kernel<Four, float4>, shape, stream, reinterpret_cast<const Four*>(table), indices, total,
           Divisor(row / 4), reinterpret_cast<float4*>(out));
  } else {
    launch(gather_rows_f32_kernel<Scalar, float>, shape, stream, table, indices, total, Divisor(row), out);
  }
}

}  // namespace

void gather(const uint8_t* table, const int32_t* indices, int64_t count, int64_t row, float* out, Stream stream) {
  gather_any<uint8_t, uchar4>(table, indices, count, row, out, stream);
}

void gather(const float* table, const int32_t* indices, int64_t count, int64_t row, float* out, Stream stream) {
  gather_any<float, float4>(table, indices, count, row, out, stream);
}

}  // namespace forger::FORGER_DEVICE
