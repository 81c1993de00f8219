// Random numbers four at a time, as every kernel makes them: element i is word i % 4 of Philox block i / 4.
#pragma once

#include "kernels/common/permutation.h"
#include "kernels/common/philox.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/random.h"

namespace forger::FORGER_DEVICE {

__device__ __forceinline__ Philox4 words_of(const PhiloxSource& source, int64_t quad) {
  return philox_block(*source.seed, source.stream, static_cast<uint64_t>(*source.step), static_cast<uint32_t>(quad));
}

/// Uniform in [low, low + range).
__device__ __forceinline__ float4 uniform_quad(const PhiloxSource& source, float low, float range, int64_t quad) {
  const Philox4 w = words_of(source, quad);
  const auto value = [=](uint32_t word) { return low + range * philox_uniform(word); };
  return make_float4(value(w.v[0]), value(w.v[1]), value(w.v[2]), value(w.v[3]));
}

/// Box and Muller 1958: two words give a radius and an angle, hence two independent normals.
__device__ __forceinline__ float2 box_muller(uint32_t first, uint32_t second, float mean, float stddev) {
  const float radius = sqrtf(-2.f * logf(philox_uniform_nonzero(first)));
  float sine, cosine;
  sincospif(2.f * philox_uniform(second), &sine, &cosine);
  return make_float2(mean + stddev * radius * cosine, mean + stddev * radius * sine);
}
__device__ __forceinline__ float4 normal_quad(const PhiloxSource& source, float mean, float stddev, int64_t quad) {
  const Philox4 w = words_of(source, quad);
  const float2 a = box_muller(w.v[0], w.v[1], mean, stddev), b = box_muller(w.v[2], w.v[3], mean, stddev);
  return make_float4(a.x, a.y, b.x, b.y);
}

/// Element i of random_rows.
__device__ __forceinline__ int32_t random_row(const PhiloxSource& source, uint32_t population, int64_t i) {
  const Philox4 w = words_of(source, i / 4);
  const uint32_t word = i % 4 == 0 ? w.v[0] : i % 4 == 1 ? w.v[1] : i % 4 == 2 ? w.v[2] : w.v[3];
  return static_cast<int32_t>(philox_below(word, population));
}

/// Element i of epoch_rows.
__device__ __forceinline__ int32_t epoch_row(const PhiloxSource& source, const EpochDraw& draw, int64_t i) {
  const uint64_t step = static_cast<uint64_t>(*source.step), size = static_cast<uint64_t>(draw.population);
  const uint64_t turn = step * static_cast<uint64_t>(draw.draws_per_step) + static_cast<uint64_t>(draw.draw);
  const uint64_t position = turn * static_cast<uint64_t>(draw.count) + static_cast<uint64_t>(i), epoch = position / size;
  return static_cast<int32_t>(
      permuted(static_cast<uint32_t>(position - epoch * size), static_cast<uint32_t>(size), *source.seed, source.stream, epoch));
}

}  // namespace forger::FORGER_DEVICE
