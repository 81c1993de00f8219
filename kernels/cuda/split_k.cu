// One thread per four elements (or one, where rows or the size are not multiples of four), eight partials in flight.
// Neighbouring threads read neighbouring elements of one partial.
#include "kernels/cuda/split_k.h"

#include "kernels/cuda/epilogue.h"

namespace forger::FORGER_DEVICE {

namespace {

constexpr int kThreads = 256;
constexpr int kInFlight = 8;

__device__ __forceinline__ float plus(float a, float b) {
  return a + b;
}
__device__ __forceinline__ float4 plus(float4 a, float4 b) {
  return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

__device__ __forceinline__ float4 as_quad(float v) {
  return make_float4(v, 0.f, 0.f, 0.f);
}
__device__ __forceinline__ float4 as_quad(float4 v) {
  return v;
}
__device__ __forceinline__ void take(float4 quad, float& v) {
  v = quad.x;
}
__device__ __forceinline__ void take(float4 quad, float4& v) {
  v = quad;
}

}  // namespace

/// T: float4 or float; size and columns count T.
template <class T>
__global__ void __launch_bounds__(kThreads)
    split_k_sum_f32_kernel(const T* __restrict__ partials, int splits, int64_t size, const T* __restrict__ bias, int columns,
                           const __grid_constant__ Epilogue epilogue, T* out) {
  begin_kernel();
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= size) return;
  T sum = bias ? bias[i % columns] : T{};
  const T* from = partials + i;
  int left = splits;
  for (; left >= kInFlight; left -= kInFlight) {
    T values[kInFlight];
#pragma unroll
    for (int s = 0; s < kInFlight; ++s) values[s] = from[s * size];
#pragma unroll
    for (int s = 0; s < kInFlight; ++s) sum = plus(sum, values[s]);
    from += kInFlight * size;
  }
  for (; left > 0; --left) {
    sum = plus(sum, *from);
    from += size;
  }
  if (!epilogue.empty()) {
    float4 quad[] = {as_quad(sum)};
    const int64_t first[] = {i * static_cast<int64_t>(sizeof(T) / sizeof(float))};
    epilogue.apply(quad, first);
    take(quad[0], sum);
  }
  out[i] = sum;
}

void split_k_sum(const float* partials, int splits, int64_t size, const float* bias, int columns, float* out, Stream stream,
                 const EpilogueArgs& args) {
  const Epilogue epilogue(args, size);
  const bool vectors = size % 4 == 0 && (!bias || columns % 4 == 0);
  const int64_t threads = vectors ? size / 4 : size;
  const LaunchShape shape{.grid_x = static_cast<unsigned>(ceil_div(threads, kThreads)), .threads = kThreads};
  if (vectors) {
    launch(split_k_sum_f32_kernel<float4>, shape, stream, reinterpret_cast<const float4*>(partials), splits, threads,
           reinterpret_cast<const float4*>(bias), columns / 4, epilogue, reinterpret_cast<float4*>(out));
  } else {
    launch(split_k_sum_f32_kernel<float>, shape, stream, partials, splits, threads, bias, columns, epilogue, out);
  }
}

}  // namespace forger::FORGER_DEVICE
