#include "datasets/mixture.h"

#include <doctest/doctest.h>

#include <cmath>

#include "kernels/common/errors.h"

using namespace forger;

namespace {

/// Assigns each sample to its nearest centre and checks each mode's share, mean and standard deviation
/// against what n samples allow: five standard errors.
void check_moments(const Mixture& mixture, int64_t n) {
  const int dims = mixture.dims;
  const auto modes = static_cast<size_t>(mixture.modes());
  const std::vector<float> x = sample(mixture, n, 7);
  REQUIRE(x.size() == static_cast<size_t>(n * dims));
  const bool normal = mixture.noise == Mixture::Noise::normal;
  const double mean_shift = normal ? 0 : mixture.scale / 2;
  const double sigma = normal ? mixture.scale : mixture.scale / std::sqrt(12.0);
  std::vector<double> count(modes), sum(modes * dims), squares(modes * dims);
  for (int64_t i = 0; i < n; ++i) {
    size_t nearest = 0;
    double best = INFINITY;
    for (size_t m = 0; m < modes; ++m) {
      double distance = 0;
      for (int d = 0; d < dims; ++d) distance += std::pow(x[i * dims + d] - mixture.centers[m * dims + d] - mean_shift, 2);
      if (distance < best) best = distance, nearest = m;
    }
    count[nearest] += 1;
    for (int d = 0; d < dims; ++d) {
      const double offset = x[i * dims + d] - mixture.centers[nearest * dims + d] - mean_shift;
      sum[nearest * dims + d] += offset;
      squares[nearest * dims + d] += offset * offset;
    }
  }
  const double share = 1.0 / static_cast<double>(modes);
  for (size_t m = 0; m < modes; ++m) {
    CAPTURE(m);
    CHECK(std::fabs(count[m] / n - share) <= 5 * std::sqrt(share * (1 - share) / n));
    for (int d = 0; d < dims; ++d) {
      CHECK(std::fabs(sum[m * dims + d] / count[m]) < 5 * sigma / std::sqrt(count[m]));
      // gaussians4: three standard deviations to the border, so a few samples count for a neighbour.
      CHECK(std::sqrt(squares[m * dims + d] / count[m]) == doctest::Approx(sigma).epsilon(0.03));
    }
  }
}

}  // namespace

TEST_CASE("mixture: shares, means and standard deviations of every mode") {
  check_moments(pattern1010(), 20'000);
  check_moments(normal1d(), 20'000);
  check_moments(gaussians4(), 20'000);
  check_moments(ring8(), 20'000);
  check_moments(grid25(), 50'000);
}

TEST_CASE("mixture: pattern1010 stays in its intervals and fills them") {
  const auto x = sample(pattern1010(), 10'000, 0);
  for (int d = 0; d < 4; ++d) {
    float low = 9, high = -9;
    for (size_t i = d; i < x.size(); i += 4) low = std::min(low, x[i]), high = std::max(high, x[i]);
    const float begin = d % 2 == 0 ? 0.8f : 0.0f;
    CHECK(low >= begin);
    CHECK(low < begin + 0.001f);
    CHECK(high <= begin + 0.2f);
    CHECK(high > begin + 0.199f);
  }
}

TEST_CASE("mixture: one seed, one set, a longer run begins with the shorter") {
  const auto a = sample(ring8(), 100, 1), b = sample(ring8(), 1000, 1), c = sample(ring8(), 100, 2);
  CHECK(std::equal(a.begin(), a.end(), b.begin()));
  CHECK(a != c);
  CHECK(sample(ring8(), 0, 1).empty());
  CHECK_THROWS_AS(sample(ring8(), -1, 1), ConfigError);
}

TEST_CASE("mixture: neighbouring samples and the two halves of Box-Muller are uncorrelated") {
  const auto x = sample(normal1d(), 100'000, 3);
  for (const size_t lag : {1, 2, 3, 4}) {
    double sum = 0;
    for (size_t i = 0; i + lag < x.size(); ++i) sum += double{x[i]} * x[i + lag];
    CHECK(std::fabs(sum / x.size()) < 5 / std::sqrt(x.size()));
  }
}
