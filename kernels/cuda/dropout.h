// Dropout on four neighbouring elements.
#pragma once

#include "kernels/common/philox.h"
#include "kernels/cuda/quads.h"
#include "kernels/cuda/tape_source.h"

namespace forger::FORGER_DEVICE {

/// 1 / (1 - rate), rounded once.
inline float dropout_factor(double rate) {
  return static_cast<float>(1 / (1 - rate));
}

/// Elements whose uniform numbers are below `rate` become 0, the others are scaled by `factor`.
__device__ __forceinline__ float4 drop_quad(float4 v, const Philox4& words, float rate, float factor) {
  const auto kept = [=](uint32_t word, float value) { return philox_uniform(word) >= rate ? value * factor : 0.f; };
  return make_float4(kept(words.v[0], v.x), kept(words.v[1], v.y), kept(words.v[2], v.z), kept(words.v[3], v.w));
}

/// The words of elements first .. first + 3: one block of Philox, or parts of two where `first` is no multiple of 4.
__device__ __forceinline__ Philox4 dropout_words(const TapeSource& source, uint64_t stream, int64_t first) {
  const uint64_t seed = *source.seed, step = static_cast<uint64_t>(*source.step);
  const auto block = static_cast<uint32_t>(first / 4);
  const Philox4 w = philox_block(seed, stream, step, block);
  const int shift = static_cast<int>(first % 4);
  if (shift == 0) return w;
  const Philox4 next = philox_block(seed, stream, step, block + 1);
  if (shift == 1) return {{w.v[1], w.v[2], w.v[3], next.v[0]}};
  if (shift == 2) return {{w.v[2], w.v[3], next.v[0], next.v[1]}};
  return {{w.v[3], next.v[0], next.v[1], next.v[2]}};
}

}  // namespace forger::FORGER_DEVICE
