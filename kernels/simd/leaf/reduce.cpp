// Sums. Eight numbers at a time are summed as a tree in float, the trees' results in double: the rounding
// error of a sum is that of three additions, however long it is.
#include "kernels/simd/leaf/columns.h"
#include "kernels/simd/leaf/parts.h"

namespace forger::simd::FORGER_ISA {
namespace {

void add_columns(const float* x, int64_t rows, int64_t cols, double* acc) {
  add_column_sums(rows, cols, acc, [x](int64_t i, int64_t, int64_t count) { return load(x + i, count); });
}

double sum(const float* x, int64_t n) {
  VD low_sum = {}, high_sum = {};
  const auto add = [&](VF v) {
    low_sum += low(v);
    high_sum += high(v);
  };
  int64_t i = 0;
  for (; i + 8 * kLanes <= n; i += 8 * kLanes) {
    const float* p = x + i;
    add(((load(p) + load(p + kLanes)) + (load(p + 2 * kLanes) + load(p + 3 * kLanes))) +
        ((load(p + 4 * kLanes) + load(p + 5 * kLanes)) + (load(p + 6 * kLanes) + load(p + 7 * kLanes))));
  }
  for_lanes(n - i, [&](int64_t k, int64_t count) { add(load(x + i + k, count)); });
  return sum_lanes(low_sum + high_sum);
}

}  // namespace

void add_reduce(Leaf& leaf) {
  leaf.add_columns = add_columns;
  leaf.sum = sum;
}

}  // namespace forger::simd::FORGER_ISA
