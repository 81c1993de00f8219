// Three shapes, all bound by reading a or writing c once:
//   n = 1:                c[i] = bias + sum over k of a[i,k] b[k]   a block per row: its threads go along k, then a reduction
//                                                                   over warps and over the block
//   n = 1, a transposed:  c[i] = bias + sum over k of a[k,i] b[k]   a block per 32 columns of a: lanes go across, warps share k
//   k = 1:                c[i,j] = bias[j] + a[i] b[j]              a thread per four elements, or one
// Reads of a are 128 contiguous bytes per warp or more. Shared memory: 32 sums per warp.
#include "kernels/cuda/matmul_narrow.h"

#include "kernels/cuda/epilogue.h"
#include "kernels/cuda/matmul_vector.h"

namespace forger::FORGER_DEVICE {

namespace {

constexpr int kThreads = kVectorThreads, kWarps = kVectorWarps;
constexpr int kInFlight = 8;  // reads that a thread has under way

/// Element i of c.
__device__ __forceinline__ float finished(const Epilogue& epilogue, float value, int64_t i) {
  if (epilogue.empty()) return value;
  float4 v[] = {make_float4(value, 0.f, 0.f, 0.f)};
  const int64_t first[] = {i};
  epilogue.apply(v, first);
  return v[0].x;
}

__global__ void __launch_bounds__(kThreads)
    matmul_vector_f32_kernel(const float* __restrict__ a, const float* __restrict__ b, const float* __restrict__ bias, int k,
                             const __grid_constant__ Epilogue epilogue, float* c) {
  begin_kernel();
  const float total = times_vector(a + int64_t{blockIdx.x} * k, b, bias, k, block_shared<VectorSums>());
  if (threadIdx.x == 0) c[blockIdx.x] = finished(epilogue, total, blockIdx.x);
}

__global__ void __launch_bounds__(kThreads)
    matmul_transposed_vector_f32_kernel(const float* __restrict__ a, const float* __restrict__ b, const float* __restrict__ bias,
                                        int m, int k, const __grid_constant__ Epilogue epilogue, float* c) {
  begin_kernel();
  auto& shared = block_shared<VectorSums>();
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int column = static_cast<int>(blockIdx.x) * 32 + lane;
  float sum = 0;
  if (column < m) {
#pragma unroll kInFlight
    for (int i = warp; i < k; i += kWarps) sum += a[int64_t{i} * m + column] * b[i];
  }
  shared.sums[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || column >= m) return;
  float total = bias ? bias[0] : 0.f;
  for (int from = 0; from < kWarps; ++from) total += shared.sums[from][lane];
  c[column] = finished(epilogue, total, column);
}

/// kWidth: elements of a thread, 4 if n is a multiple of 4, else 1.
template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    matmul_outer_f32_kernel(const float* __restrict__ a, const float* __restrict__ b, const float* __restrict__ bias, int m,
                            int n, const __grid_constant__ Epilogue epilogue, float* c) {
  begin_kernel();
  const int64_t i = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * kWidth;
  if (i >= int64_t{m} * n) return;
  const int row = static_cast<int>(i / n), column = static_cast<int>(i % n);
  const float left = a[row];
  if constexpr (kWidth == 1) {
    c[i] = finished(epilogue, (bias ? bias[column] : 0.f) + left * b[column], i);
  } else {
    const float4 right = *reinterpret_cast<const float4*>(b + column);
    const float4 add = bias ? *reinterpret_cast<const float4*>(bias + column) : make_float4(0.f, 0.f, 0.f, 0.f);
    float4 v[] = {map_quad(right, add, [left](float x, float y) { return y + left * x; })};
    const int64_t first[] = {i};
    if (!epilogue.empty()) epilogue.apply(v, first);
    *reinterpret_cast<float4*>(c + i) = v[0];
  }
}

}  // namespace

const char* matmul_narrow_declines(const MatmulShape& s) {
  return s.n == 1 || s.k == 1 ? nullptr : "neither one column nor a reduction of length one";
}

void matmul_narrow(const MatmulShape& s, const float* a, const float* b, const float* bias, float* c, Stream stream,
                   const EpilogueArgs& args) {
  const Epilogue epilogue(args, s.m * s.n);
  const int m = static_cast<int>(s.m), n = static_cast<int>(s.n), k = static_cast<int>(s.k);
  LaunchShape shape{.threads = kThreads};
  if (s.k == 1) {
    const int width = n % 4 == 0 ? 4 : 1;
    shape.grid_x = static_cast<unsigned>(ceil_div(s.m * s.n, kThreads * width));
    launch(width == 4 ? matmul_outer_f32_kernel<4> : matmul_outer_f32_kernel<1>, shape, stream, a, b, bias, m, n, epilogue, c);
    return;
  }
  shape.shared_bytes = sizeof(VectorSums);
  if (s.transpose_a) {
    shape.grid_x = static_cast<unsigned>(ceil_div(s.m, 32));
    launch(matmul_transposed_vector_f32_kernel, shape, stream, a, b, bias, m, k, epilogue, c);
  } else {
    shape.grid_x = static_cast<unsigned>(s.m);
    launch(matmul_vector_f32_kernel, shape, stream, a, b, bias, k, epilogue, c);
  }
}

}  // namespace forger::FORGER_DEVICE
