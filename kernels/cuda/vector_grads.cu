// dx = dy w^T and dw = x^T dy: what follows a discriminator's last product on the way back.
//
// A block takes 32 columns: its lanes go across, its warps share the rows, as in matmul_narrow.cu, whose sums these are bit for
// bit. A thread has kInFlight rows under way, and reads x before it writes dx in the same place. Reads and writes are 128
// contiguous bytes per warp. Shared memory: 32 sums per warp.
#include "kernels/cuda/vector_grads.h"

#include "kernels/cuda/matmul_vector.h"

namespace forger::FORGER_DEVICE {
namespace {

constexpr int kInFlight = 8;

__global__ void __launch_bounds__(kVectorThreads)
    vector_product_grads_f32_kernel(const float* x, const float* __restrict__ w, const float* __restrict__ dy, int m, int k,
                                    float* dx, float* __restrict__ dw) {
  begin_kernel();
  auto& shared = block_shared<VectorSums>();
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int column = static_cast<int>(blockIdx.x) * 32 + lane;
  float sum = 0;
  if (column < k) {
    const float weight = w[column];
    for (int first = warp; first < m; first += kVectorWarps * kInFlight) {
      float value[kInFlight], gradient[kInFlight];
#pragma unroll
      for (int r = 0; r < kInFlight; ++r) {
        const int row = first + r * kVectorWarps;
        value[r] = row < m ? x[int64_t{row} * k + column] : 0.f;
        gradient[r] = row < m ? dy[row] : 0.f;
      }
#pragma unroll
      for (int r = 0; r < kInFlight; ++r) {
        const int row = first + r * kVectorWarps;
        if (row >= m) continue;
        sum += value[r] * gradient[r];
        dx[int64_t{row} * k + column] = 0.f + gradient[r] * weight;  // the 0: a product without bias is a sum from 0, not -0
      }
    }
  }
  shared.sums[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || column >= k) return;
  float total = 0.f;
  for (int from = 0; from < kVectorWarps; ++from) total += shared.sums[from][lane];
  dw[column] = total;
}

}  // namespace

void vector_product_grads(int64_t m, int64_t k, const float* x, const float* w, const float* dy, float* dx, float* dw,
                          Stream stream) {
  launch(vector_product_grads_f32_kernel,
         {.grid_x = static_cast<unsigned>(ceil_div(k, 32)), .threads = kVectorThreads, .shared_bytes = sizeof(VectorSums)},
         stream, x, w, dy, static_cast<int>(m), static_cast<int>(k), dx, dw);
}

}  // namespace forger::FORGER_DEVICE
