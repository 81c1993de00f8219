// Random tensors from Philox: element i is made of word i % 4 of block i / 4, the same integers as on every provider.
#pragma once

#include <cstdint>

#include "kernels/cuda/stream.h"

namespace forger::FORGER_DEVICE {

/// Seed and step are device values: a replayed CUDA graph draws new numbers.
struct PhiloxSource {
  const uint64_t* seed;
  const int64_t* step;
  uint64_t stream;  // of the node
};

/// out[i] uniform in [low, high), i in [0, n).
void random_uniform(const PhiloxSource& source, float low, float high, float* out, int64_t n, Stream stream);
/// out[i] normal, by Box and Muller.
void random_normal(const PhiloxSource& source, float mean, float stddev, float* out, int64_t n, Stream stream);
/// out[i] = x[i] / (1 - rate) where element i's uniform number is at least `rate`, else 0. out may be x.
void dropout(const PhiloxSource& source, double rate, const float* x, float* out, int64_t n, Stream stream);
/// `count` independent row numbers in [0, population), 1 <= population < 2^31.
void random_rows(const PhiloxSource& source, int64_t population, int32_t* out, int64_t count, Stream stream);

/// Which rows of an endless walk through permutations of [0, population) a draw takes: position i is
/// (step * draws_per_step + draw) * count + i, for i in [0, count).
struct EpochDraw {
  int64_t count, population, draw, draws_per_step;
};
void epoch_rows(const PhiloxSource& source, const EpochDraw& draw, int32_t* out, Stream stream);

}  // namespace forger::FORGER_DEVICE
