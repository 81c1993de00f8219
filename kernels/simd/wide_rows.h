// Matrices with few columns seen as matrices with many, for whole registers: [rows, 3] as [rows / 32, 96].
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/simd/leaf/leaf.h"

namespace forger::simd {

inline int64_t padded(int64_t cols) {
  return (cols + kPadding - 1) / kPadding * kPadding;
}

/// `group` rows of `cols` side by side make one wide row; wide column k belongs to column k % cols. The last
/// `leftover` rows, fewer than `group`, make a wide row that is not full.
struct WideRows {
  int64_t cols, group;
  int64_t rows, width;  // of the wide matrix
  int64_t leftover;

  const float* leftover_of(const float* x) const { return x + rows * width; }
  float* leftover_of(float* x) const { return x + rows * width; }
  int64_t leftover_width() const { return leftover * cols; }
};

inline WideRows widen(int64_t rows, int64_t cols) {
  constexpr int64_t kEnough = 64;  // columns: four of the widest registers
  // As many rows together as fill whole registers, or as make the rest after the last register small.
  int64_t group = 1;
  while (group * cols < kEnough) group *= 2;
  group = std::min(group, std::max<int64_t>(rows, 1));
  return {cols, group, rows / group, group * cols, rows % group};
}

/// A per-column array [cols] repeated to the padded width of the wide matrix.
inline std::vector<float> tile(const std::vector<float>& per_column, const WideRows& wide) {
  std::vector<float> tiled(static_cast<size_t>(padded(wide.width)));
  for (int64_t k = 0; k < wide.width; ++k) tiled[k] = per_column[k % wide.cols];
  return tiled;
}

}  // namespace forger::simd
