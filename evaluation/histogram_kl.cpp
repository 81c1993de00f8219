#include "evaluation/histogram_kl.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/common/errors.h"

namespace forger {

double histogram_kl(std::span<const double> real, std::span<const double> fake, int bins) {
  if (real.empty() || fake.empty()) fail<DataError>("histogram_kl: a sample is empty");
  double low = real[0], high = real[0];
  for (const auto sample : {real, fake}) {
    for (double v : sample) {
      if (!std::isfinite(v)) fail<DataError>("histogram_kl: a sample holds {}", v);
      low = std::min(low, v);
      high = std::max(high, v);
    }
  }
  const double width = high > low ? (high - low) / bins : 1.0;
  const auto histogram = [&](std::span<const double> sample) {
    std::vector<double> p(static_cast<size_t>(bins), 0.5);
    for (double v : sample) p[static_cast<size_t>(std::min((v - low) / width, bins - 1.0))] += 1.0;
    for (double& v : p) v /= static_cast<double>(sample.size()) + 0.5 * bins;
    return p;
  };
  const auto p = histogram(real), q = histogram(fake);
  double kl = 0;
  for (size_t i = 0; i < p.size(); ++i) kl += p[i] * std::log(p[i] / q[i]);
  return kl;
}

}  // namespace forger
