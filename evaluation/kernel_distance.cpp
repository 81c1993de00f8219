#include "evaluation/kernel_distance.h"

#include <algorithm>
#include <numeric>

#include "evaluation/pairs.h"
#include "kernels/common/philox.h"
#include "kernels/threads/pool.h"

namespace forger {
namespace {

constexpr uint64_t kStream = 0x4B49'4400'0000;  // of the subsets' random numbers

/// Sum of the kernel over all pairs (i, j), or over those with i != j.
double kernel_sum(const Points& a, const Points& b, bool with_diagonal) {
  std::vector<double> sums(static_cast<size_t>(a.rows()));
  const double scale = 1.0 / static_cast<double>(a.columns);
  for_each_product_row(a, b, [&](int64_t i, std::span<const float> row) {
    double sum = 0;
    for (size_t j = 0; j < row.size(); ++j) {
      const double k = static_cast<double>(row[j]) * scale + 1;
      if (with_diagonal || static_cast<int64_t>(j) != i) sum += k * k * k;
    }
    sums[static_cast<size_t>(i)] = sum;
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

/// `size` rows of `points`, chosen by the front of a shuffle (Fisher and Yates) of their numbers.
std::vector<float> subset(const Points& points, int64_t size, uint64_t seed, uint64_t draw) {
  std::vector<uint32_t> order(static_cast<size_t>(points.rows()));
  std::iota(order.begin(), order.end(), 0u);
  std::vector<float> rows;
  rows.reserve(static_cast<size_t>(size * points.columns));
  for (int64_t i = 0; i < size; ++i) {
    const uint32_t word = philox_block(seed, kStream, draw, static_cast<uint32_t>(i)).v[0];
    const auto at = static_cast<size_t>(i);
    std::swap(order[at], order[at + philox_below(word, static_cast<uint32_t>(points.rows() - i))]);
    const auto row = points.row(order[at]);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  return rows;
}

}  // namespace

double kernel_distance(const Points& a, const Points& b) {
  require_points("kernel_distance", a, b, 2);
  if (a.rows() != b.rows()) fail<DataError>("kernel_distance: {} and {} points, expected as many", a.rows(), b.rows());
  const auto n = static_cast<double>(a.rows());
  return (kernel_sum(a, a, false) + kernel_sum(b, b, false)) / (n * (n - 1)) - 2 * kernel_sum(a, b, true) / (n * n);
}

double kernel_distance_of_subsets(const Points& a, const Points& b, int subsets, int64_t size, uint64_t seed) {
  require_points("kernel_distance", a, b, 2);
  size = std::min({size, a.rows(), b.rows()});
  if (size == a.rows() && size == b.rows()) return kernel_distance(a, b);  // every subset is the whole set
  // A subset to a thread: within it the pairs are made by that thread alone.
  std::vector<double> distances(static_cast<size_t>(subsets));
  parallel_for(subsets, [&](int64_t s) {
    const auto draw = static_cast<uint64_t>(s);
    const std::vector<float> x = subset(a, size, seed, 2 * draw), y = subset(b, size, seed, 2 * draw + 1);
    distances[static_cast<size_t>(s)] = kernel_distance({x, a.columns}, {y, b.columns});
  });
  return std::accumulate(distances.begin(), distances.end(), 0.0) / subsets;
}

}  // namespace forger
