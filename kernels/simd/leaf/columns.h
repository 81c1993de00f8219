// Sums over the rows of a matrix, one per column.
#pragma once

#include "kernels/common/vec.h"

namespace forger::simd::FORGER_ISA {
namespace {

/// acc[c] += sum over rows of term(r * cols + c, c, count), where term gives `count` lanes from column c on;
/// acc is padded. Eight rows are summed as a tree in float, the trees' results in double. Rows are walked in
/// the order in which they lie in memory, and only eight at a time: at a stride of a power of two more would
/// evict each other.
template <class Term>
FORGER_INLINE void add_column_sums(int64_t rows, int64_t cols, double* acc, const Term& term) {
  int64_t r = 0;
  for (; r + 8 <= rows; r += 8) {
    for_lanes(
        cols, [&](int64_t c, int64_t count) __attribute__((always_inline)) {
          const auto row = [&](int64_t k) __attribute__((always_inline)) {
            return term((r + k) * cols + c, c, count);
          };
          add_to(acc + c, ((row(0) + row(1)) + (row(2) + row(3))) + ((row(4) + row(5)) + (row(6) + row(7))));
        });
  }
  for (; r < rows; ++r) {
    for_lanes(
        cols, [&](int64_t c, int64_t count) __attribute__((always_inline)) { add_to(acc + c, term(r * cols + c, c, count)); });
  }
}

}  // namespace
}  // namespace forger::simd::FORGER_ISA
