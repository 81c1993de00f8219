#include "evaluation/classes.h"

#include <cmath>

#include "kernels/common/errors.h"

namespace forger {

std::vector<double> class_shares(std::span<const uint8_t> labels, int64_t classes) {
  if (labels.empty()) fail<DataError>("class_shares: there is no image");
  std::vector<double> shares(static_cast<size_t>(classes), 0.0);
  for (const uint8_t label : labels) {
    if (label >= classes) fail<DataError>("class_shares: a label is {}, expected 0 to {}", label, classes - 1);
    shares[label] += 1;
  }
  for (double& s : shares) s /= static_cast<double>(labels.size());
  return shares;
}

double total_variation(std::span<const double> p, std::span<const double> q) {
  if (p.size() != q.size()) fail<ShapeError>("total_variation: {} and {} classes", p.size(), q.size());
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) sum += std::fabs(p[i] - q[i]);
  return sum / 2;
}

double classifier_score(std::span<const float> probabilities, int64_t classes) {
  const auto k = static_cast<size_t>(classes);
  const size_t n = probabilities.size() / k;
  if (n == 0) fail<DataError>("classifier_score: there is no image");
  std::vector<double> mean(k, 0.0);
  for (size_t i = 0; i < n * k; ++i) mean[i % k] += static_cast<double>(probabilities[i]) / static_cast<double>(n);
  double kl = 0;
  for (size_t i = 0; i < n * k; ++i) {
    const auto p = static_cast<double>(probabilities[i]);
    if (p > 0) kl += p * std::log(p / mean[i % k]);
  }
  return std::exp(kl / static_cast<double>(n));
}

StackedModes stacked_modes(std::span<const uint8_t> labels, int64_t channels) {
  const size_t n = labels.size() / static_cast<size_t>(channels);
  if (n == 0) fail<DataError>("stacked_modes: there is no image");
  std::vector<int64_t> counts(static_cast<size_t>(std::pow(10, channels)), 0);
  for (size_t i = 0; i < n; ++i) {
    size_t mode = 0;
    for (size_t c = 0; c < static_cast<size_t>(channels); ++c) mode = mode * 10 + labels[i * static_cast<size_t>(channels) + c];
    ++counts[mode];
  }
  StackedModes result;
  for (const int64_t count : counts) {
    if (count == 0) continue;
    ++result.modes;
    const double share = static_cast<double>(count) / static_cast<double>(n);
    result.kl += share * std::log(share * static_cast<double>(counts.size()));
  }
  return result;
}

}  // namespace forger
