// A set of points: the rows of a matrix.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/common/errors.h"

namespace forger {

/// [rows, columns], row-major; the floats belong to somebody else.
struct Points {
  std::span<const float> values = {};
  int64_t columns = 1;

  int64_t rows() const { return static_cast<int64_t>(values.size()) / columns; }
  std::span<const float> row(int64_t i) const {
    return values.subspan(static_cast<size_t>(i * columns), static_cast<size_t>(columns));
  }
  Points first(int64_t n) const { return {values.first(static_cast<size_t>(n * columns)), columns}; }
};

/// Throws DataError or ShapeError unless both have `least` rows or more of the same length.
inline void require_points(const char* metric, const Points& a, const Points& b, int64_t least) {
  if (a.columns != b.columns) fail<ShapeError>("{}: points of {} and of {} numbers", metric, a.columns, b.columns);
  if (a.rows() < least || b.rows() < least) {
    fail<DataError>("{}: {} and {} points, expected at least {} of each; ask for more samples", metric, a.rows(), b.rows(),
                    least);
  }
}

}  // namespace forger
