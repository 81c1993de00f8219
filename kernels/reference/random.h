// Random tensors from Philox: element i is made of word i % 4 of block i / 4.
#pragma once

#include <cmath>
#include <numbers>

#include "kernels/common/permutation.h"
#include "kernels/common/philox.h"

namespace forger::reference {

struct RandomKey {
  uint64_t seed, stream, step;
  Philox4 block(int64_t i) const { return philox_block(seed, stream, step, static_cast<uint32_t>(i)); }
};

template <class T>
void random_uniform(int64_t n, T low, T high, const RandomKey& key, T* out) {
  for (int64_t i = 0; i < n; ++i) {
    out[i] = low + (high - low) * static_cast<T>(philox_uniform(key.block(i / 4).v[i % 4]));
  }
}

/// Box and Muller 1958: each pair of words gives radius and angle, hence two independent normals.
template <class T>
void random_normal(int64_t n, T mean, T stddev, const RandomKey& key, T* out) {
  for (int64_t i = 0; i < n; ++i) {
    const Philox4 words = key.block(i / 4);
    const int64_t pair = (i % 4) / 2 * 2;
    const T radius = std::sqrt(T(-2) * std::log(static_cast<T>(philox_uniform_nonzero(words.v[pair]))));
    const T angle = T(2) * std::numbers::pi_v<T> * static_cast<T>(philox_uniform(words.v[pair + 1]));
    out[i] = mean + stddev * radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
  }
}

/// Keeps element i if its uniform number is at least `rate`, scaled by 1 / (1 - rate).
template <class T>
T dropped_out(int64_t i, double rate, const RandomKey& key, T x) {
  const bool kept = philox_uniform(key.block(i / 4).v[i % 4]) >= static_cast<float>(rate);
  return kept ? x * static_cast<T>(1 / (1 - rate)) : T(0);
}

/// out may be x.
template <class T>
void dropout(int64_t n, double rate, const RandomKey& key, const T* x, T* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = dropped_out(i, rate, key, x[i]);
}

/// Independent row numbers in [0, population).
inline void random_rows(int64_t count, int64_t population, const RandomKey& key, int32_t* out) {
  for (int64_t i = 0; i < count; ++i) {
    out[i] = static_cast<int32_t>(philox_below(key.block(i / 4).v[i % 4], static_cast<uint32_t>(population)));
  }
}

/// Rows `first` .. first + count - 1 of an endless sequence of epochs, each a permutation of [0, population).
inline void epoch_rows(int64_t count, int64_t population, uint64_t first, uint64_t seed, uint64_t stream, int32_t* out) {
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t position = first + static_cast<uint64_t>(i), size = static_cast<uint64_t>(population);
    out[i] = static_cast<int32_t>(
        permuted(static_cast<uint32_t>(position % size), static_cast<uint32_t>(size), seed, stream, position / size));
  }
}

/// out[i,:] = table[indices[i],:], converted from 0..255 to -1..1 if the table holds bytes.
template <class Source, class T>
void gather(int64_t count, int64_t row, const Source* table, const int32_t* indices, T* out) {
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t j = 0; j < row; ++j) {
      const Source v = table[indices[i] * row + j];
      out[i * row + j] = sizeof(Source) == 1 ? static_cast<T>(v) / T(127.5) - T(1) : static_cast<T>(v);
    }
  }
}

}  // namespace forger::reference
