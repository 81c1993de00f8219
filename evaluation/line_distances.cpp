#include "evaluation/line_distances.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/common/errors.h"

namespace forger {
namespace {

std::vector<double> sorted(std::span<const double> values) {
  if (values.empty()) fail<DataError>("a sample is empty");
  for (const double v : values) {
    if (!std::isfinite(v)) fail<DataError>("a sample holds {}", v);
  }
  std::vector<double> copy(values.begin(), values.end());
  std::sort(copy.begin(), copy.end());
  return copy;
}

/// Calls f(|F - G|, width) between every two neighbouring values of both samples.
template <class Visit>
void walk(std::span<const double> a, std::span<const double> b, Visit visit) {
  const std::vector<double> x = sorted(a), y = sorted(b);
  size_t i = 0, j = 0;
  while (i < x.size() || j < y.size()) {
    const double here = j == y.size() || (i < x.size() && x[i] <= y[j]) ? x[i] : y[j];
    while (i < x.size() && x[i] == here) ++i;
    while (j < y.size() && y[j] == here) ++j;
    const double gap = std::fabs(static_cast<double>(i) / static_cast<double>(x.size()) -
                                 static_cast<double>(j) / static_cast<double>(y.size()));
    const bool end = i == x.size() && j == y.size();
    const double next = end ? here : i == x.size() ? y[j] : j == y.size() ? x[i] : std::min(x[i], y[j]);
    visit(gap, next - here);
  }
}

}  // namespace

double wasserstein_1(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  walk(a, b, [&](double gap, double width) { sum += gap * width; });
  return sum;
}

double kolmogorov_smirnov(std::span<const double> a, std::span<const double> b) {
  double largest = 0;
  walk(a, b, [&](double gap, double) { largest = std::max(largest, gap); });
  return largest;
}

double kolmogorov_smirnov(std::span<const double> a, const std::function<double(double)>& cdf) {
  const std::vector<double> x = sorted(a);
  double largest = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double f = cdf(x[i]), n = static_cast<double>(x.size());
    largest = std::max({largest, f - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - f});
  }
  return largest;
}

double mean_of(std::span<const double> values) {
  if (values.empty()) fail<DataError>("a sample is empty");
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation_of(std::span<const double> values) {
  const double mean = mean_of(values);
  double sum = 0;
  for (const double v : values) sum += (v - mean) * (v - mean);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

}  // namespace forger
