// Metrics of nearest neighbours: precision, recall, density, coverage, and how far points are from one another.
#pragma once

#include "evaluation/matrix.h"

namespace forger {

inline constexpr int kNeighbours = 5;

/// Squared distance of every point to its k-th nearest other point. Needs k + 1 points, else DataError.
std::vector<float> neighbour_radii(const Points& points, int k = kNeighbours);

/// Squared distance of every point of `a` to its nearest of `b`, and which that is.
struct Nearest {
  std::vector<float> squared;
  std::vector<int64_t> index;
};
Nearest nearest(const Points& a, const Points& b);

struct NeighbourMetrics {
  double precision = 0, recall = 0, density = 0, coverage = 0;
};

/// Precision and recall of Kynkaanniemi et al. 2019, density and coverage of Naeem et al. 2020 (equations 3 and 4), as in the
/// latter's code: balls to the k-th neighbour without the point itself, strict <. The radii are neighbour_radii of each set.
NeighbourMetrics neighbour_metrics(const Points& real, const Points& fake, std::span<const float> real_radii,
                                   std::span<const float> fake_radii, int k = kNeighbours);

/// Mean distance of every point to another that is chosen at random, the same on every call: how far apart two usually are.
double mean_pair_distance(const Points& points);

double median(std::vector<float> values);

}  // namespace forger
