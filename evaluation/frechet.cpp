#include "evaluation/frechet.h"

#include <cmath>

#include "evaluation/symmetric_eigen.h"

namespace forger {
namespace {

constexpr double kLeastActive = 0.01;

std::vector<double> multiply(const std::vector<double>& a, const std::vector<double>& b, size_t n) {
  std::vector<double> c(n * n, 0.0);
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < n; ++k) {
      for (size_t j = 0; j < n; ++j) c[i * n + j] += a[i * n + k] * b[k * n + j];
    }
  }
  return c;
}

}  // namespace

Moments moments(const Points& points) {
  const int64_t n = points.rows();
  const auto d = static_cast<size_t>(points.columns);
  if (n < 2) fail<DataError>("moments of {} points, expected two or more", n);
  Moments m{std::vector<double>(d, 0.0), std::vector<double>(d * d, 0.0)};
  for (int64_t i = 0; i < n; ++i) {
    const auto row = points.row(i);
    for (size_t j = 0; j < d; ++j) m.mean[j] += static_cast<double>(row[j]);
  }
  for (double& v : m.mean) v /= static_cast<double>(n);
  std::vector<double> centred(d);
  for (int64_t i = 0; i < n; ++i) {
    const auto row = points.row(i);
    for (size_t j = 0; j < d; ++j) centred[j] = static_cast<double>(row[j]) - m.mean[j];
    for (size_t j = 0; j < d; ++j) {
      for (size_t k = j; k < d; ++k) m.covariance[j * d + k] += centred[j] * centred[k];
    }
  }
  for (size_t j = 0; j < d; ++j) {
    for (size_t k = j; k < d; ++k) {
      m.covariance[j * d + k] /= static_cast<double>(n - 1);
      m.covariance[k * d + j] = m.covariance[j * d + k];
    }
  }
  return m;
}

double frechet_distance(const Moments& a, const Moments& b) {
  const size_t d = a.mean.size();
  if (b.mean.size() != d) fail<ShapeError>("frechet_distance: features of {} and of {} numbers", d, b.mean.size());
  const auto n = static_cast<int64_t>(d);
  const std::vector<double> root = symmetric_sqrt(a.covariance, n);
  const std::vector<double> inner = multiply(multiply(root, b.covariance, d), root, d);
  double distance = 0;
  for (size_t i = 0; i < d; ++i) {
    const double shift = a.mean[i] - b.mean[i];
    distance += shift * shift + a.covariance[i * d + i] + b.covariance[i * d + i];
  }
  for (const double v : symmetric_eigen(inner, n).values) distance -= 2 * std::sqrt(std::max(v, 0.0));
  return distance;
}

FeatureScale::FeatureScale(const Points& reference) : width_(reference.columns) {
  const int64_t n = reference.rows();
  for (int64_t j = 0; j < width_; ++j) {
    double sum = 0, squares = 0;
    int64_t active = 0;
    for (int64_t i = 0; i < n; ++i) {
      const auto v = static_cast<double>(reference.row(i)[static_cast<size_t>(j)]);
      sum += v;
      active += v > 0;
    }
    const double mean = sum / static_cast<double>(n);
    for (int64_t i = 0; i < n; ++i) {
      const double v = static_cast<double>(reference.row(i)[static_cast<size_t>(j)]) - mean;
      squares += v * v;
    }
    if (static_cast<double>(active) < kLeastActive * static_cast<double>(n) || !(squares > 0)) continue;
    columns_.push_back(j);
    mean_.push_back(mean);
    deviation_.push_back(std::sqrt(squares / static_cast<double>(n)));
  }
  if (columns_.empty()) fail<DataError>("no feature of the reference is alive; was the classifier trained on other images?");
}

std::vector<float> FeatureScale::operator()(const Points& features) const {
  if (features.columns != width_) fail<ShapeError>("{} features, expected {}", features.columns, width_);
  std::vector<float> scaled;
  scaled.reserve(static_cast<size_t>(features.rows() * live()));
  for (int64_t i = 0; i < features.rows(); ++i) {
    const auto row = features.row(i);
    for (size_t j = 0; j < columns_.size(); ++j) {
      const auto v = static_cast<double>(row[static_cast<size_t>(columns_[j])]);
      scaled.push_back(static_cast<float>((v - mean_[j]) / deviation_[j]));
    }
  }
  return scaled;
}

}  // namespace forger
