// Random tensors and dropout, keyed by (seed, stream) and counted by (step, element): Philox4x32-10.
//
// Threads: each makes one quad from one Philox block (about 100 integer instructions, hidden behind the store).
// Shared memory: none. Limits: 2^34 elements, after which Philox's block counter would repeat.
#include "kernels/cuda/random.h"

#include "kernels/cuda/dropout.h"
#include "kernels/cuda/philox_quads.h"
#include "kernels/cuda/quads.h"

namespace forger::FORGER_DEVICE {
namespace {

constexpr unsigned kThreads = 128;

__device__ __forceinline__ int64_t my_quad() {
  return int64_t{blockIdx.x} * kThreads + threadIdx.x;
}
__global__ void __launch_bounds__(kThreads)
    random_uniform_philox_f32_kernel(const PhiloxSource source, float low, float range, float* __restrict__ out, int64_t n) {
  begin_kernel();
  const int64_t quad = my_quad();
  if (4 * quad >= n) return;
  store_quad(out, quad, n, uniform_quad(source, low, range, quad));
}

__global__ void __launch_bounds__(kThreads)
    random_normal_philox_f32_kernel(const PhiloxSource source, float mean, float stddev, float* __restrict__ out, int64_t n) {
  begin_kernel();
  const int64_t quad = my_quad();
  if (4 * quad >= n) return;
  store_quad(out, quad, n, normal_quad(source, mean, stddev, quad));
}

__global__ void __launch_bounds__(kThreads)
    dropout_philox_f32_kernel(const PhiloxSource source, float rate, float factor, const float* x, float* out, int64_t n) {
  begin_kernel();
  const int64_t quad = my_quad();
  if (4 * quad >= n) return;
  const float4 v = load_quad(x, quad, n);
  store_quad(out, quad, n, drop_quad(v, words_of(source, quad), rate, factor));
}

__global__ void __launch_bounds__(kThreads)
    random_rows_philox_i32_kernel(const PhiloxSource source, uint32_t population, int32_t* __restrict__ out, int64_t count) {
  begin_kernel();
  const int64_t i = my_quad();  // one element per thread: batches are small
  if (i >= count) return;
  out[i] = random_row(source, population, i);
}

__global__ void __launch_bounds__(kThreads)
    epoch_rows_feistel_i32_kernel(const PhiloxSource source, const EpochDraw draw, int32_t* __restrict__ out) {
  begin_kernel();
  const int64_t i = my_quad();  // one element per thread
  if (i >= draw.count) return;
  out[i] = epoch_row(source, draw, i);
}

LaunchShape shape_for(int64_t threads) {
  return {.grid_x = static_cast<unsigned>(ceil_div(threads, kThreads)), .threads = kThreads};
}

}  // namespace

void random_uniform(const PhiloxSource& source, float low, float high, float* out, int64_t n, Stream stream) {
  if (n == 0) return;
  launch(random_uniform_philox_f32_kernel, shape_for(ceil_div(n, 4)), stream, source, low, high - low, out, n);
}

void random_normal(const PhiloxSource& source, float mean, float stddev, float* out, int64_t n, Stream stream) {
  if (n == 0) return;
  launch(random_normal_philox_f32_kernel, shape_for(ceil_div(n, 4)), stream, source, mean, stddev, out, n);
}

void dropout(const PhiloxSource& source, double rate, const float* x, float* out, int64_t n, Stream stream) {
  if (n == 0) return;
  launch(dropout_philox_f32_kernel, shape_for(ceil_div(n, 4)), stream, source, static_cast<float>(rate), dropout_factor(rate), x,
         out, n);
}

void random_rows(const PhiloxSource& source, int64_t population, int32_t* out, int64_t count, Stream stream) {
  if (count == 0) return;
  launch(random_rows_philox_i32_kernel, shape_for(count), stream, source, static_cast<uint32_t>(population), out, count);
}

void epoch_rows(const PhiloxSource& source, const EpochDraw& draw, int32_t* out, Stream stream) {
  if (draw.count == 0) return;
  launch(epoch_rows_feistel_i32_kernel, shape_for(draw.count), stream, source, draw, out);
}

}  // namespace forger::FORGER_DEVICE
