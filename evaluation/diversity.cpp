#include "evaluation/diversity.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/common/errors.h"

namespace forger {
namespace {

constexpr double kBallShare = 0.25, kDensityShare = 0.25;  // density_coverage: radius, and how many fakes suffice
constexpr double kCopyShare = 0.25;                        // copied_share: of the usual distance to a neighbour

int64_t rows_of(size_t values, int64_t dim, const char* who) {
  if (dim < 1 || values % static_cast<size_t>(dim) != 0) fail<ShapeError>("{}: {} values are no rows of {}", who, values, dim);
  return static_cast<int64_t>(values) / dim;
}

/// In lanes that the compiler may keep in vectors: one sum would have to be made in order.
double squared_distance(const float* a, const float* b, int64_t dim) {
  constexpr int64_t kLanes = 16;
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= dim; i += kLanes) {
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] += (a[i + l] - b[i + l]) * (a[i + l] - b[i + l]);
  }
  float sum = 0;
  for (; i < dim; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  if (dim >= kLanes) {
    for (const float lane : lanes) sum += lane;
  }
  return static_cast<double>(sum);
}

/// Share of `rows` that lie within `radius` of `center`.
double share_within(const float* center, std::span<const float> rows, int64_t n, int64_t dim, double radius) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) count += squared_distance(center, &rows[static_cast<size_t>(i * dim)], dim) <= radius * radius;
  return static_cast<double>(count) / static_cast<double>(n);
}

/// Distance from `image` to the nearest of the rows, leaving out number `skip`.
double nearest(const float* image, std::span<const float> rows, int64_t n, int64_t dim, int64_t skip) {
  double best = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < n; ++i) {
    if (i != skip) best = std::min(best, squared_distance(image, &rows[static_cast<size_t>(i * dim)], dim));
  }
  return std::sqrt(best);
}

}  // namespace

double mean_pairwise_distance(std::span<const float> rows, int64_t dim, int64_t most) {
  const int64_t n = std::min(most, rows_of(rows.size(), dim, "mean_pairwise_distance"));
  if (n < 2) return 0;
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < i; ++j) {
      sum += std::sqrt(squared_distance(&rows[static_cast<size_t>(i * dim)], &rows[static_cast<size_t>(j * dim)], dim));
    }
  }
  return sum / (static_cast<double>(n) * static_cast<double>(n - 1) / 2);
}

double density_coverage(std::span<const float> real, std::span<const float> fake, int64_t dim, int64_t most) {
  const int64_t n = std::min(most, rows_of(real.size(), dim, "density_coverage"));
  const int64_t m = std::min(most, rows_of(fake.size(), dim, "density_coverage"));
  if (n == 0 || m == 0) fail<DataError>("density_coverage: a sample is empty");
  const double radius = kBallShare * mean_pairwise_distance(real, dim, n);
  int64_t covered = 0;
  for (int64_t i = 0; i < n; ++i) {
    const float* center = &real[static_cast<size_t>(i * dim)];
    const double p = share_within(center, real, n, dim, radius), q = share_within(center, fake, m, dim, radius);
    covered += q > 0 && q >= kDensityShare * p;
  }
  return static_cast<double>(covered) / static_cast<double>(n);
}

double copied_share(std::span<const float> fakes, std::span<const uint8_t> table, int64_t dim, int64_t most_fakes,
                    int64_t most_rows) {
  const int64_t n = std::min(most_fakes, rows_of(fakes.size(), dim, "copied_share"));
  const int64_t m = std::min(most_rows, rows_of(table.size(), dim, "copied_share"));
  if (n == 0 || m < 2) return 0;
  std::vector<float> rows(static_cast<size_t>(m * dim));
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(table[i]) / 127.5f - 1.f;
  std::vector<double> usual;
  for (int64_t i = 0; i < std::min(n, m); ++i) {
    const int64_t row = i * (m / std::min(n, m));  // spread over the set
    usual.push_back(nearest(&rows[static_cast<size_t>(row * dim)], rows, m, dim, row));
  }
  std::nth_element(usual.begin(), usual.begin() + static_cast<int64_t>(usual.size() / 2), usual.end());
  const double limit = kCopyShare * usual[usual.size() / 2];
  int64_t copies = 0;
  for (int64_t i = 0; i < n; ++i) copies += nearest(&fakes[static_cast<size_t>(i * dim)], rows, m, dim, -1) < limit;
  return static_cast<double>(copies) / static_cast<double>(n);
}

}  // namespace forger
