#include "evaluation/mixture_modes.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "evaluation/line_distances.h"
#include "kernels/common/errors.h"

namespace forger {
namespace {

constexpr double kHighQuality = 3;      // sigma
constexpr double kCoveredShare = 0.25;  // of a mode's expected share

void require_samples(std::span<const float> samples, int dims) {
  if (samples.empty() || samples.size() % static_cast<size_t>(dims) != 0) {
    fail<DataError>("{} numbers are no samples of {} coordinates", samples.size(), dims);
  }
  for (const float v : samples) {
    if (!std::isfinite(v)) fail<DataError>("a sample holds {}", v);
  }
}

}  // namespace

MixtureMetrics mixture_metrics(const Mixture& mixture, std::span<const float> samples) {
  if (mixture.dims != 2 || mixture.noise != Mixture::Noise::normal) {
    fail<ConfigError>("mixture_metrics: is for normal distributions in the plane");
  }
  require_samples(samples, 2);
  const size_t n = samples.size() / 2;
  const auto modes = static_cast<size_t>(mixture.modes());
  const double sigma = static_cast<double>(mixture.scale), limit = kHighQuality * kHighQuality * sigma * sigma;
  std::vector<int64_t> near(modes, 0), good(modes, 0);
  double squares = 0;
  for (size_t i = 0; i < n; ++i) {
    size_t best = 0;
    double least = INFINITY;
    for (size_t m = 0; m < modes; ++m) {
      const double x = static_cast<double>(samples[2 * i]) - static_cast<double>(mixture.centers[2 * m]);
      const double y = static_cast<double>(samples[2 * i + 1]) - static_cast<double>(mixture.centers[2 * m + 1]);
      if (x * x + y * y < least) least = x * x + y * y, best = m;
    }
    ++near[best];
    if (least > limit) continue;
    ++good[best];
    squares += least;
  }
  MixtureMetrics result;
  int64_t all_good = 0;
  const double share = static_cast<double>(n) / static_cast<double>(modes);
  for (size_t m = 0; m < modes; ++m) {
    all_good += good[m];
    result.modes += static_cast<double>(good[m]) >= kCoveredShare * share;
    result.modes_lenient += good[m] > 0;
    const double p = static_cast<double>(near[m]) / static_cast<double>(n);
    if (p > 0) result.reverse_kl += p * std::log(p * static_cast<double>(modes));
  }
  result.high_quality = static_cast<double>(all_good) / static_cast<double>(n);
  // r^2 / (2 sigma^2) is exponential; cut at c its mean is 1 - c exp(-c) / (1 - exp(-c)).
  const double c = kHighQuality * kHighQuality / 2;
  const double expected = 2 * sigma * sigma * (1 - c * std::exp(-c) / (1 - std::exp(-c)));
  if (all_good > 0) result.sigma_ratio = std::sqrt(squares / static_cast<double>(all_good) / expected);
  return result;
}

PatternMetrics pattern_metrics(const Mixture& mixture, std::span<const float> samples) {
  require_samples(samples, mixture.dims);
  const auto dims = static_cast<size_t>(mixture.dims);
  const size_t n = samples.size() / dims;
  const double width = static_cast<double>(mixture.scale);
  PatternMetrics result;
  std::vector<std::vector<double>> columns(dims);
  std::vector<uint8_t> inside(n, 1);
  for (size_t d = 0; d < dims; ++d) {
    const double low = static_cast<double>(mixture.centers[d]);
    for (size_t i = 0; i < n; ++i) {
      const double v = static_cast<double>(samples[i * dims + d]);
      columns[d].push_back(v);
      if (v < low || v > low + width) inside[i] = 0;
    }
    result.mean_error = std::max(result.mean_error, std::fabs(mean_of(columns[d]) - low - width / 2));
    const auto uniform = [&](double v) { return std::clamp((v - low) / width, 0.0, 1.0); };
    result.ks = std::max(result.ks, kolmogorov_smirnov(columns[d], uniform));
  }
  result.in_box = static_cast<double>(std::count(inside.begin(), inside.end(), 1)) / static_cast<double>(n);
  for (size_t a = 0; a < dims; ++a) {
    for (size_t b = a + 1; b < dims; ++b) {
      const double mean_a = mean_of(columns[a]), mean_b = mean_of(columns[b]);
      double sum = 0;
      for (size_t i = 0; i < n; ++i) sum += (columns[a][i] - mean_a) * (columns[b][i] - mean_b);
      const double deviations = deviation_of(columns[a]) * deviation_of(columns[b]);
      const double r = deviations > 1e-12 ? std::fabs(sum / static_cast<double>(n) / deviations) : 1.0;
      result.correlation = std::max(result.correlation, r);
    }
  }
  return result;
}

}  // namespace forger
