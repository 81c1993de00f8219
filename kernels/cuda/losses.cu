// Binary cross entropy on logits, softmax, and softmax with cross entropy: value and gradient in one pass.
//
// bce_with_logits: threads stride over the logits; a GAN's batch of logits is one block and one launch.
// softmax: a warp per row, whose lanes stride over the K classes (the second and third pass hit L1).
// Each block adds its losses in double in a fixed order. One block writes the loss; several write partial sums, which one
// more launch of one block adds. Shared memory: 64 bytes. Limits: none.
#include "kernels/cuda/losses.h"

#include <algorithm>

#include "kernels/cuda/block_sum.h"
#include "kernels/cuda/scalar_ops.h"

namespace forger::FORGER_DEVICE {
namespace {

constexpr unsigned kThreads = 256;
constexpr unsigned kWarps = kThreads / 32;
constexpr int64_t kPerBlock = 8 * kThreads;  // logits
constexpr int64_t kRowsPerBlock = 4 * kWarps;
constexpr int64_t kMaxBlocks = 1024;

/// Adds up what the block's threads have: the loss if it is the only block, else its partial sum.
__device__ __forceinline__ void finish_loss(double mine, double count, float* loss, double* partials) {
  const double sum = block_sum(mine, block_shared<BlockSum<kThreads>>());
  if (threadIdx.x > 0) return;
  if (gridDim.x == 1) {
    *loss = static_cast<float>(sum / count);
  } else {
    partials[blockIdx.x] = sum;
  }
}

__global__ void __launch_bounds__(kThreads)
    mean_of_partials_f64_kernel(const double* __restrict__ partials, int64_t blocks, double count, float* __restrict__ loss) {
  begin_kernel();
  double mine = 0;
  for (int64_t i = threadIdx.x; i < blocks; i += kThreads) mine += partials[i];
  finish_loss(mine, count, loss, nullptr);
}

__global__ void __launch_bounds__(kThreads)
    bce_with_logits_f32_kernel(const float* __restrict__ x, const float* __restrict__ t, int64_t n, float* __restrict__ loss,
                               float* __restrict__ dlogits, double* __restrict__ partials) {
  begin_kernel();
  const float count = static_cast<float>(n);
  double mine = 0;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < n; i += int64_t{gridDim.x} * kThreads) {
    const float logit = x[i], target = t[i];
    mine += static_cast<double>(softplus(logit) - logit * target);
    dlogits[i] = (sigmoid(logit) - target) / count;
  }
  finish_loss(mine, static_cast<double>(n), loss, partials);
}

struct RowStatistics {
  float largest, total;  // of the row; sum of exp(x - largest)
};
__device__ __forceinline__ RowStatistics row_statistics(const float* row, int64_t K) {
  const unsigned lane = threadIdx.x % 32;
  float largest = row[0], total = 0.f;
  for (int64_t k = lane; k < K; k += 32) largest = fmaxf(largest, row[k]);
  largest = warp_max(largest);
  for (int64_t k = lane; k < K; k += 32) total += expf(row[k] - largest);
  return {largest, warp_sum(total)};
}

__global__ void __launch_bounds__(kThreads) softmax_warp_f32_kernel(const float* x, int64_t N, int64_t K, float* y) {
  begin_kernel();
  const int64_t r = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (r >= N) return;  // whole warps
  const float* const row = x + r * K;
  const RowStatistics s = row_statistics(row, K);
  __syncwarp();  // y may be x: no lane may write row[0] before all have read it
  for (int64_t k = threadIdx.x % 32; k < K; k += 32) y[r * K + k] = expf(row[k] - s.largest) / s.total;
}

__global__ void __launch_bounds__(kThreads, 4)
    softmax_cross_entropy_warp_f32_kernel(const float* __restrict__ x, const int32_t* __restrict__ labels, int64_t N, int64_t K,
                                          float* __restrict__ loss, float* __restrict__ dlogits, double* __restrict__ partials) {
  begin_kernel();
  const unsigned lane = threadIdx.x % 32;
  const auto count = static_cast<float>(N);
  double mine = 0;  // of this warp's rows, in its first lane
  for (int64_t r = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; r < N; r += int64_t{gridDim.x} * kWarps) {
    const float* const row = x + r * K;
    const int32_t label = labels[r];
    const RowStatistics s = row_statistics(row, K);
    if (lane == 0) mine += static_cast<double>(logf(s.total) + s.largest - row[label]);
    for (int64_t k = lane; k < K; k += 32) {
      dlogits[r * K + k] = (expf(row[k] - s.largest) / s.total - (k == label ? 1.f : 0.f)) / count;
    }
  }
  finish_loss(mine, static_cast<double>(N), loss, partials);
}

int64_t blocks_of(int64_t n, int64_t per_block) {
  return std::min(ceil_div(n, per_block), kMaxBlocks);
}
size_t partial_bytes(int64_t blocks) {
  return blocks > 1 ? sizeof(double) * static_cast<size_t>(blocks) : 0;
}
LaunchShape shape_of(int64_t blocks) {
  return {.grid_x = static_cast<unsigned>(blocks), .threads = kThreads, .shared_bytes = sizeof(BlockSum<kThreads>)};
}
void add_partials(const double* partials, int64_t blocks, int64_t n, float* loss, Stream stream) {
  if (blocks > 1) launch(mean_of_partials_f64_kernel, shape_of(1), stream, partials, blocks, static_cast<double>(n), loss);
}

}  // namespace

size_t bce_with_logits_workspace_bytes(int64_t n) {
  return partial_bytes(blocks_of(n, kPerBlock));
}

void bce_with_logits(const float* x, const float* t, int64_t n, float* loss, float* dlogits, void* workspace, Stream stream) {
  if (n == 0) return;
  const int64_t blocks = blocks_of(n, kPerBlock);
  auto* const partials = static_cast<double*>(workspace);
  launch(bce_with_logits_f32_kernel, shape_of(blocks), stream, x, t, n, loss, dlogits, partials);
  add_partials(partials, blocks, n, loss, stream);
}

void softmax(const float* x, int64_t N, int64_t K, float* y, Stream stream) {
  if (N == 0 || K == 0) return;
  launch(softmax_warp_f32_kernel, {.grid_x = static_cast<unsigned>(ceil_div(N, kWarps)), .threads = kThreads}, stream, x, N, K,
         y);
}

size_t softmax_cross_entropy_workspace_bytes(int64_t N) {
  return partial_bytes(blocks_of(N, kRowsPerBlock));
}

void softmax_cross_entropy(const float* x, const int32_t* labels, int64_t N, int64_t K, float* loss, float* dlogits,
                           void* workspace, Stream stream) {
  if (N == 0 || K == 0) return;
  const int64_t blocks = blocks_of(N, kRowsPerBlock);
  auto* const partials = static_cast<double*>(workspace);
  launch(softmax_cross_entropy_warp_f32_kernel, shape_of(blocks), stream, x, labels, N, K, loss, dlogits, partials);
  add_partials(partials, blocks, N, loss, stream);
}

}  // namespace forger::FORGER_DEVICE
