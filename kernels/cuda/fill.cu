// Threads: each stores one quad.
#include "kernels/cuda/fill.h"

#include "kernels/cuda/quads.h"

namespace forger::FORGER_DEVICE {
namespace {

constexpr unsigned kThreads = 128;

__global__ void __launch_bounds__(kThreads) fill_f32_kernel(float value, float* __restrict__ out, int64_t n) {
  begin_kernel();
  const int64_t quad = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (4 * quad < n) store_quad(out, quad, n, make_float4(value, value, value, value));
}

}  // namespace

void fill(float value, float* out, int64_t n, Stream stream) {
  if (n == 0) return;
  launch(fill_f32_kernel, {.grid_x = blocks_for(n, kThreads), .threads = kThreads}, stream, value, out, n);
}

}  // namespace forger::FORGER_DEVICE
