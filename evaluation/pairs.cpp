#include "evaluation/pairs.h"

#include <algorithm>

namespace forger {
namespace {

constexpr int64_t kWidth = 8;   // points of b side by side: two registers of four floats
constexpr int64_t kRows = 4;    // points of a: 4 x 8 sums stay in registers
constexpr int64_t kBlock = 32;  // points of a for which b is read once

struct Product {
  static float term(float a, float b) { return a * b; }
};
struct SquaredDifference {
  static float term(float a, float b) { return (a - b) * (a - b); }
};

/// b in strips of kWidth points, within a strip dimension by dimension; the last strip is filled up with zeros.
std::vector<float> pack(const Points& b) {
  const int64_t n = b.rows(), d = b.columns, strips = (n + kWidth - 1) / kWidth;
  std::vector<float> packed(static_cast<size_t>(strips * d * kWidth), 0.f);
  for (int64_t j = 0; j < n; ++j) {
    float* const to = packed.data() + j / kWidth * d * kWidth + j % kWidth;
    for (int64_t k = 0; k < d; ++k) to[k * kWidth] = b.values[static_cast<size_t>(j * d + k)];
  }
  return packed;
}

/// out[r][w] = sum over k of term(a[r][k], strip[k][w]); out's rows are `pitch` apart.
template <class Op, int64_t Rows>
void tile(const float* a, const float* strip, int64_t d, float* out, int64_t pitch) {
  float sums[Rows][kWidth] = {};
  for (int64_t k = 0; k < d; ++k) {
    for (int64_t r = 0; r < Rows; ++r) {
      for (int64_t w = 0; w < kWidth; ++w) sums[r][w] += Op::term(a[r * d + k], strip[k * kWidth + w]);
    }
  }
  for (int64_t r = 0; r < Rows; ++r) std::copy_n(sums[r], kWidth, out + r * pitch);
}

template <class Op>
void for_each_row(const Points& a, const Points& b, const PairRow& f) {
  require_points("pairs", a, b, 0);
  const int64_t m = a.rows(), n = b.rows(), d = a.columns;
  if (m == 0 || n == 0) return;
  const std::vector<float> packed = pack(b);
  const int64_t pitch = (n + kWidth - 1) / kWidth * kWidth, blocks = (m + kBlock - 1) / kBlock;
#pragma omp parallel
  {
    std::vector<float> rows(static_cast<size_t>(kBlock * pitch));
#pragma omp for schedule(dynamic)
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t begin = block * kBlock, count = std::min(kBlock, m - begin);
      for (int64_t j = 0; j < pitch; j += kWidth) {
        const float* const strip = packed.data() + j * d;
        int64_t r = 0;
        for (; r + kRows <= count; r += kRows) {
          tile<Op, kRows>(a.values.data() + (begin + r) * d, strip, d, rows.data() + r * pitch + j, pitch);
        }
        for (; r < count; ++r) tile<Op, 1>(a.values.data() + (begin + r) * d, strip, d, rows.data() + r * pitch + j, pitch);
      }
      for (int64_t r = 0; r < count; ++r) f(begin + r, std::span(rows.data() + r * pitch, static_cast<size_t>(n)));
    }
  }
}

}  // namespace

void for_each_distance_row(const Points& a, const Points& b, const PairRow& f) {
  for_each_row<SquaredDifference>(a, b, f);
}

void for_each_product_row(const Points& a, const Points& b, const PairRow& f) {
  for_each_row<Product>(a, b, f);
}

}  // namespace forger
