// Random tensors and dropout, keyed by (seed, stream) and counted by (step, element): Philox4x32-10.
//
// Threads: each makes one quad from one Philox block (about 100 integer instructions, hidden behind the store).
// Shared memory: none. Limits: 2^34 elements, after which Philox's block counter would repeat.
#include "kernels/cuda/random.h"

#include "kernels/common/permutation.h"
#include "kernels/cuda/dropout.h"
#include "kernels/cuda/quads.h"

namespace forger::FORGER_DEVICE {
namespace {

constexpr unsigned kThreads = 128;

__device__ __forceinline__ int64_t my_quad() {
  return int64_t{blockIdx.x} * kThreads + threadIdx.x;
}
__device__ __forceinline__ Philox4 words_of(const PhiloxSource& source, int64_t quad) {
  return philox_block(*source.seed, source.stream, static_cast<uint64_t>(*source.step), static_cast<uint32_t>(quad));
}

__global__ void __launch_bounds__(kThreads)
    random_uniform_philox_f32_kernel(const PhiloxSource source, float low, float range, float* __restrict__ out, int64_t n) {
  const int64_t quad = my_quad();
  if (4 * quad >= n) return;
  const Philox4 w = words_of(source, quad);
  const auto value = [=](uint32_t word) { return low + range * philox_uniform(word); };
  store_quad(out, quad, n, make_float4(value(w.v[0]), value(w.v[1]), value(w.v[2]), value(w.v[3])));
}

/// Box and Muller 1958: two words give a radius and an angle, hence two independent normals.
__device__ __forceinline__ float2 box_muller(uint32_t first, uint32_t second, float mean, float stddev) {
  const float radius = sqrtf(-2.f * logf(philox_uniform_nonzero(first)));
  float sine, cosine;
  sincospif(2.f * philox_uniform(second), &sine, &cosine);
  return make_float2(mean + stddev * radius * cosine, mean + stddev * radius * sine);
}

__global__ void __launch_bounds__(kThreads)
    random_normal_philox_f32_kernel(const PhiloxSource source, float mean, float stddev, float* __restrict__ out, int64_t n) {
  const int64_t quad = my_quad();
  if (4 * quad >= n) return;
  const Philox4 w = words_of(source, quad);
  const float2 a = box_muller(w.v[0], w.v[1], mean, stddev), b = box_muller(w.v[2], w.v[3], mean, stddev);
  store_quad(out, quad, n, make_float4(a.x, a.y, b.x, b.y));
}

__global__ void __launch_bounds__(kThreads)
    dropout_philox_f32_kernel(const PhiloxSource source, float rate, float factor, const float* x, float* out, int64_t n) {
  const int64_t quad = my_quad();
  if (4 * quad >= n) return;
  const float4 v = load_quad(x, quad, n);
  const Philox4 w = words_of(source, quad);
  store_quad(out, quad, n, drop_quad(v, w, rate, factor));
}

__global__ void __launch_bounds__(kThreads)
    random_rows_philox_i32_kernel(const PhiloxSource source, uint32_t population, int32_t* __restrict__ out, int64_t count) {
  const int64_t i = my_quad();  // one element per thread: batches are small
  if (i >= count) return;
  const Philox4 w = words_of(source, i / 4);
  const uint32_t word = i % 4 == 0 ? w.v[0] : i % 4 == 1 ? w.v[1] : i % 4 == 2 ? w.v[2] : w.v[3];
  out[i] = static_cast<int32_t>(philox_below(word, population));
}

__global__ void __launch_bounds__(kThreads)
    epoch_rows_feistel_i32_kernel(const PhiloxSource source, const EpochDraw draw, int32_t* __restrict__ out) {
  const int64_t i = my_quad();  // one element per thread
  if (i >= draw.count) return;
  const uint64_t step = static_cast<uint64_t>(*source.step), size = static_cast<uint64_t>(draw.population);
  const uint64_t turn = step * static_cast<uint64_t>(draw.draws_per_step) + static_cast<uint64_t>(draw.draw);
  const uint64_t position = turn * static_cast<uint64_t>(draw.count) + static_cast<uint64_t>(i), epoch = position / size;
  out[i] = static_cast<int32_t>(
      permuted(static_cast<uint32_t>(position - epoch * size), static_cast<uint32_t>(size), *source.seed, source.stream, epoch));
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
