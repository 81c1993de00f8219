// How a range is cut into the pieces of parallel_for().
#pragma once

#include <algorithm>
#include <cstdint>

namespace forger {

/// a / b rounded up, for a >= 0 and b > 0.
constexpr int64_t ceil_div(int64_t a, int64_t b) {
  return a / b + (a % b != 0);
}

/// [0, count) cut into `pieces` parts of `size`; the last may be shorter.
struct Split {
  Split(int64_t count_, int64_t size_) : count(count_), size(size_), pieces(ceil_div(count_, size_)) {}
  int64_t count, size, pieces;
  int64_t begin(int64_t piece) const { return piece * size; }
  int64_t end(int64_t piece) const { return std::min(count, (piece + 1) * size); }
  int64_t length(int64_t piece) const { return end(piece) - begin(piece); }
};

}  // namespace forger
