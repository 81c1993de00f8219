// y[n,p,q,c] = v[i*], dv[i*] = dy[n,p,q,c] and 0 elsewhere, with i* the first largest element of x in the window.
//
// Threads: one per output element, channels fastest: neighbours read and write neighbouring channels, coalesced where C is
// not tiny. Windows do not overlap, so that every element of dv is written by the thread of its window and by no other.
// Both are bound by memory: x is read once. Shared memory: none. Limits: none.
#include "kernels/cuda/max_pool.h"

#include "kernels/cuda/divisor.h"

namespace forger::FORGER_DEVICE {
namespace {

constexpr unsigned kThreads = 256;

/// Where the windows lie, in elements.
struct Windows {
  int64_t total;     // outputs
  Divisor channels;  // C
  Divisor row;       // Q
  int64_t window;    // elements on a side
  int64_t pitch;     // elements of a row of the image: W * C
};

/// The first element of output i's window.
__device__ __forceinline__ int64_t corner_of(const Windows& s, int64_t i) {
  const int64_t pixel = s.channels.divide(i);
  const int64_t c = i - pixel * s.channels.value;
  const int64_t image_row = s.row.divide(pixel);  // n * P + p
  const int64_t q = pixel - image_row * s.row.value;
  return image_row * s.window * s.pitch + q * s.window * s.channels.value + c;
}

__device__ __forceinline__ int64_t largest_of(const Windows& s, const float* __restrict__ x, int64_t corner) {
  int64_t best = corner;
  float largest = x[corner];
  for (int64_t r = 0; r < s.window; ++r) {
    for (int64_t t = 0; t < s.window; ++t) {
      const int64_t j = corner + r * s.pitch + t * s.channels.value;
      const float value = x[j];
      if (value > largest) {
        largest = value;
        best = j;
      }
    }
  }
  return best;
}

__global__ void __launch_bounds__(kThreads)
    max_pool_pick_f32_kernel(const Windows s, const float* __restrict__ x, const float* __restrict__ v, float* __restrict__ y) {
  begin_kernel();
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i < s.total) y[i] = v[largest_of(s, x, corner_of(s, i))];
}

__global__ void __launch_bounds__(kThreads) max_pool_scatter_f32_kernel(const Windows s, const float* __restrict__ x,
                                                                        const float* __restrict__ dy, float* __restrict__ dv) {
  begin_kernel();
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= s.total) return;
  const int64_t corner = corner_of(s, i), best = largest_of(s, x, corner);
  const float d = dy[i];
  for (int64_t r = 0; r < s.window; ++r) {
    for (int64_t t = 0; t < s.window; ++t) {
      const int64_t j = corner + r * s.pitch + t * s.channels.value;
      dv[j] = j == best ? d : 0.f;
    }
  }
}

Windows windows_of(const PoolShape& s) {
  return {s.outputs(), Divisor(s.C), Divisor(s.Q()), s.window, s.W * s.C};
}
LaunchShape shape_of(const PoolShape& s) {
  return {.grid_x = static_cast<unsigned>(ceil_div(s.outputs(), kThreads)), .threads = kThreads};
}

}  // namespace

void max_pool_pick(const PoolShape& s, const float* x, const float* v, float* y, Stream stream) {
  if (s.outputs() == 0) return;
  launch(max_pool_pick_f32_kernel, shape_of(s), stream, windows_of(s), x, v, y);
}

void max_pool_scatter(const PoolShape& s, const float* x, const float* dy, float* dv, Stream stream) {
  if (s.outputs() == 0) return;
  launch(max_pool_scatter_f32_kernel, shape_of(s), stream, windows_of(s), x, dy, dv);
}

}  // namespace forger::FORGER_DEVICE
