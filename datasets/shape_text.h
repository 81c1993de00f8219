// How a shape is written in messages: [64, 28, 28, 1].
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <span>
#include <string>

namespace forger {

inline std::string shape_text(std::span<const int64_t> dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) text += fmt::format("{}{}", i > 0 ? ", " : "", dims[i]);
  return text += "]";
}

/// The number of elements of a shape whose sizes are 0 or more, or the largest number where that overflows.
inline int64_t element_count(std::span<const int64_t> dims) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  int64_t count = 1;
  for (const int64_t d : dims) {
    if (d == 0) return 0;
    count = count > kMost / d ? kMost : count * d;
  }
  return count;
}

}  // namespace forger
