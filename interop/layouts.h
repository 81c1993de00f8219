// Forger's layouts and those of the others. Letters: K filters, R height, S width, C channels of a filter.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "engine/graph/types.h"

namespace forger {

inline std::vector<float> floats_of(std::span<const std::byte> bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

/// [outer, a, b] -> [outer, b, a].
inline std::vector<float> swap_inner(std::span<const float> values, int64_t outer, int64_t a, int64_t b) {
  std::vector<float> swapped(values.size());
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < a; ++i) {
      for (int64_t j = 0; j < b; ++j)
        swapped[static_cast<size_t>((o * b + j) * a + i)] = values[static_cast<size_t>((o * a + i) * b + j)];
    }
  }
  return swapped;
}

/// shape: {K, R, S, C}, that of the argument.
inline std::vector<float> krsc_to_kcrs(std::span<const float> values, const Shape& shape) {
  return swap_inner(values, shape[0], shape[1] * shape[2], shape[3]);
}
/// shape: {K, R, S, C}, that of the result.
inline std::vector<float> kcrs_to_krsc(std::span<const float> values, const Shape& shape) {
  return swap_inner(values, shape[0], shape[3], shape[1] * shape[2]);
}

}  // namespace forger
