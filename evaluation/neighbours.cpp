#include "evaluation/neighbours.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "evaluation/pairs.h"
#include "kernels/common/philox.h"

namespace forger {

std::vector<float> neighbour_radii(const Points& points, int k) {
  require_points("neighbour_radii", points, points, k + 1);
  std::vector<float> radii(static_cast<size_t>(points.rows()));
  for_each_distance_row(points, points, [&](int64_t i, std::span<const float> row) {
    std::vector<float> least(static_cast<size_t>(k), std::numeric_limits<float>::infinity());  // ascending
    for (size_t j = 0; j < row.size(); ++j) {
      if (static_cast<int64_t>(j) == i || !(row[j] < least.back())) continue;
      least.back() = row[j];
      for (size_t p = least.size() - 1; p > 0 && least[p] < least[p - 1]; --p) std::swap(least[p], least[p - 1]);
    }
    radii[static_cast<size_t>(i)] = least.back();
  });
  return radii;
}

Nearest nearest(const Points& a, const Points& b) {
  require_points("nearest", a, b, 1);
  const auto m = static_cast<size_t>(a.rows());
  Nearest result{std::vector<float>(m), std::vector<int64_t>(m)};
  for_each_distance_row(a, b, [&](int64_t i, std::span<const float> row) {
    const auto least = std::min_element(row.begin(), row.end());
    result.squared[static_cast<size_t>(i)] = *least;
    result.index[static_cast<size_t>(i)] = least - row.begin();
  });
  return result;
}

NeighbourMetrics neighbour_metrics(const Points& real, const Points& fake, std::span<const float> real_radii,
                                   std::span<const float> fake_radii, int k) {
  require_points("neighbour_metrics", real, fake, 1);
  if (static_cast<int64_t>(real_radii.size()) != real.rows() || static_cast<int64_t>(fake_radii.size()) != fake.rows()) {
    fail<ShapeError>("neighbour_metrics: {} and {} radii for {} and {} points", real_radii.size(), fake_radii.size(), real.rows(),
                     fake.rows());
  }
  std::vector<int64_t> balls(static_cast<size_t>(fake.rows()));  // how many balls of real points a fake one lies in
  for_each_distance_row(fake, real, [&](int64_t j, std::span<const float> row) {
    int64_t count = 0;
    for (size_t i = 0; i < row.size(); ++i) count += row[i] < real_radii[i];
    balls[static_cast<size_t>(j)] = count;
  });
  std::vector<uint8_t> recalled(static_cast<size_t>(real.rows())), covered(static_cast<size_t>(real.rows()));
  for_each_distance_row(real, fake, [&](int64_t i, std::span<const float> row) {
    bool in_a_ball = false;
    for (size_t j = 0; j < row.size() && !in_a_ball; ++j) in_a_ball = row[j] < fake_radii[j];
    recalled[static_cast<size_t>(i)] = in_a_ball;
    covered[static_cast<size_t>(i)] = *std::min_element(row.begin(), row.end()) < real_radii[static_cast<size_t>(i)];
  });
  const auto reals = static_cast<double>(real.rows()), fakes = static_cast<double>(fake.rows());
  NeighbourMetrics m;
  m.precision = static_cast<double>(std::count_if(balls.begin(), balls.end(), [](int64_t n) { return n > 0; })) / fakes;
  m.density = static_cast<double>(std::accumulate(balls.begin(), balls.end(), int64_t{0})) / (k * fakes);
  m.recall = static_cast<double>(std::count(recalled.begin(), recalled.end(), 1)) / reals;
  m.coverage = static_cast<double>(std::count(covered.begin(), covered.end(), 1)) / reals;
  return m;
}

double mean_pair_distance(const Points& points) {
  constexpr uint64_t kStream = 0x5041'4952;
  const int64_t n = points.rows();
  if (n < 2) fail<DataError>("mean_pair_distance: {} points, expected two or more", n);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t word = philox_block(0, kStream, 0, static_cast<uint32_t>(i)).v[0];
    const int64_t step = 1 + philox_below(word, static_cast<uint32_t>(n - 1));  // to another point
    const auto a = points.row(i), b = points.row((i + step) % n);
    double squared = 0;
    for (size_t j = 0; j < a.size(); ++j) squared += static_cast<double>((a[j] - b[j]) * (a[j] - b[j]));
    sum += std::sqrt(squared);
  }
  return sum / static_cast<double>(n);
}

double median(std::vector<float> values) {
  if (values.empty()) fail<DataError>("median of no values");
  const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return static_cast<double>(*middle);
}

}  // namespace forger
