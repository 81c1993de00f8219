#include "evaluation/pairs.h"

#include <algorithm>

#include "evaluation/pair_tiles.h"
#include "kernels/common/isa.h"
#include "kernels/threads/pool.h"

namespace forger {
namespace {

constexpr int64_t kWidth = kPairWidth;
constexpr int64_t kBlock = 32;  // points of a for which b is read once

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

void for_each_row(PairTile* tile, const Points& a, const Points& b, const PairRow& f) {
  require_points("pairs", a, b, 0);
  const int64_t m = a.rows(), n = b.rows(), d = a.columns;
  if (m == 0 || n == 0) return;
  const std::vector<float> packed = pack(b);
  const int64_t pitch = (n + kWidth - 1) / kWidth * kWidth, blocks = (m + kBlock - 1) / kBlock;
  std::vector<std::vector<float>> rows_of(static_cast<size_t>(num_threads()));  // by slot, made by the thread that uses it
  parallel_for(
      blocks,
      [&](int64_t block, int slot) {
        auto& rows = rows_of[static_cast<size_t>(slot)];
        rows.resize(static_cast<size_t>(kBlock * pitch));
        const int64_t begin = block * kBlock, count = std::min(kBlock, m - begin);
        for (int64_t j = 0; j < pitch; j += kWidth) {
          const float* const strip = packed.data() + j * d;
          for (int64_t r = 0; r < count; r += kPairRows) {
            tile(a.values.data() + (begin + r) * d, std::min(kPairRows, count - r), strip, d, rows.data() + r * pitch + j, pitch);
          }
        }
        for (int64_t r = 0; r < count; ++r) f(begin + r, std::span(rows.data() + r * pitch, static_cast<size_t>(n)));
      },
      static_cast<int>(rows_of.size()));
}

}  // namespace

void for_each_distance_row(const Points& a, const Points& b, const PairRow& f) {
  for_each_row(for_isa(best_isa(), baseline::distance_tile, avx2::distance_tile, avx512::distance_tile), a, b, f);
}

void for_each_product_row(const Points& a, const Points& b, const PairRow& f) {
  for_each_row(for_isa(best_isa(), baseline::product_tile, avx2::product_tile, avx512::product_tile), a, b, f);
}

}  // namespace forger
