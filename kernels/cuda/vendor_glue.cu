// Two streaming kernels, bound by memory.
//
// round_to_bf16: a thread turns 8 floats (two 16-byte loads) into 8 bf16 (one 16-byte store). The chunks of both operands
// share one grid, a's first, so that a convolution costs one more launch and not two. The last chunk of an operand may be
// short and goes element by element.
// add_bias: a thread visits every gridDim * blockDim-th vector and keeps its channel by adding the stride modulo the row,
// which spares a division per vector. Vectors are float4 where the channels are a multiple of 4, else single floats.
// No shared memory. Sizes below 2^39 (round_to_bf16: 2^31 blocks of 256 chunks of 8; the other loops).
#include "kernels/cuda/vendor_glue.h"

#include "kernels/cuda/launch.h"

namespace forger::FORGER_DEVICE {
namespace {

constexpr int kThreads = 256;
constexpr int kChunk = 8;  // bf16 in 16 bytes

__device__ __forceinline__ void round_chunk(const float* from, uint16_t* to, int64_t left) {
  if (left >= kChunk) {
    const float4 low = reinterpret_cast<const float4*>(from)[0], high = reinterpret_cast<const float4*>(from)[1];
    uint4 packed;
    packed.x = ptx::pack_bf16(low.x, low.y);
    packed.y = ptx::pack_bf16(low.z, low.w);
    packed.z = ptx::pack_bf16(high.x, high.y);
    packed.w = ptx::pack_bf16(high.z, high.w);
    *reinterpret_cast<uint4*>(to) = packed;
  } else {
    for (int i = 0; i < left; ++i) to[i] = static_cast<uint16_t>(ptx::pack_bf16(from[i], 0.f));
  }
}

__device__ __forceinline__ float4 plus(float4 a, float4 b) {
  return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}
__device__ __forceinline__ float plus(float a, float b) {
  return a + b;
}

}  // namespace

__global__ void __launch_bounds__(kThreads)
    round_to_bf16_chunks_f32_kernel(const float* __restrict__ a, int64_t a_size, uint16_t* __restrict__ a16,
                                    const float* __restrict__ b, int64_t b_size, uint16_t* __restrict__ b16) {
  begin_kernel();
  const int64_t a_chunks = ceil_div(a_size, kChunk), b_chunks = ceil_div(b_size, kChunk);
  const int64_t chunk = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (chunk < a_chunks) {
    round_chunk(a + chunk * kChunk, a16 + chunk * kChunk, a_size - chunk * kChunk);
  } else if (chunk - a_chunks < b_chunks) {
    const int64_t first = (chunk - a_chunks) * kChunk;
    round_chunk(b + first, b16 + first, b_size - first);
  }
}

/// `row` vectors make one row; `count` make all of y.
template <class Vector>
__global__ void __launch_bounds__(kThreads)
    add_bias_stride_f32_kernel(Vector* y, const Vector* __restrict__ bias, int64_t count, int64_t row) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads, channel_step = stride % row;
  int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  for (int64_t c = i % row; i < count; i += stride) {
    y[i] = plus(y[i], bias[c]);
    c += channel_step;
    if (c >= row) c -= row;
  }
}

void round_to_bf16(const float* a, int64_t a_size, uint16_t* a16, const float* b, int64_t b_size, uint16_t* b16, Stream stream) {
  const int64_t chunks = ceil_div(a_size, kChunk) + ceil_div(b_size, kChunk);
  if (chunks == 0) return;
  const LaunchShape shape{.grid_x = static_cast<unsigned>(ceil_div(chunks, kThreads)), .threads = kThreads};
  launch(round_to_bf16_chunks_f32_kernel, shape, stream, a, a_size, a16, b, b_size, b16);
}

void add_bias_in_place(float* y, const float* bias, int64_t rows, int64_t channels, Stream stream) {
  constexpr int64_t kMostBlocks = 4096;  // enough for any GPU; more would only repeat the division at a thread's start
  const int64_t width = channels % 4 == 0 ? 4 : 1, row = channels / width, count = rows * row;
  if (count == 0) return;
  const int64_t blocks = ceil_div(count, kThreads) < kMostBlocks ? ceil_div(count, kThreads) : kMostBlocks;
  const LaunchShape shape{.grid_x = static_cast<unsigned>(blocks), .threads = kThreads};
  if (width == 4) {
    launch(add_bias_stride_f32_kernel<float4>, shape, stream, reinterpret_cast<float4*>(y), reinterpret_cast<const float4*>(bias),
           count, row);
  } else {
    launch(add_bias_stride_f32_kernel<float>, shape, stream, y, bias, count, row);
  }
}

}  // namespace forger::FORGER_DEVICE
