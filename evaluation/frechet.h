// The Frechet distance between two sets of features, and the z-scoring that makes it independent of the network's scale.
#pragma once

#include "evaluation/matrix.h"

namespace forger {

/// Mean [d] and unbiased covariance [d,d] of points, in double.
struct Moments {
  std::vector<double> mean, covariance;
};
Moments moments(const Points& points);

/// |m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2): Dowson and Landau 1982; with Inception's features it is the FID of
/// Heusel et al. 2017. Needs two points of each. Throws ShapeError, DataError.
double frechet_distance(const Moments& a, const Moments& b);

/// Brings features to mean 0 and deviation 1 of the reference and drops dead ones: those that are above 0 for fewer than 1 %
/// of the reference. A dead ReLU has a deviation near 0, and dividing by it would drown all the others.
class FeatureScale {
 public:
  /// Throws DataError if no feature is alive.
  explicit FeatureScale(const Points& reference);

  int64_t live() const { return static_cast<int64_t>(columns_.size()); }
  /// [rows, live()].
  std::vector<float> operator()(const Points& features) const;

 private:
  int64_t width_;
  std::vector<int64_t> columns_;
  std::vector<double> mean_, deviation_;
};

}  // namespace forger
