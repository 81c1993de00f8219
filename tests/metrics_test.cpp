// The evaluation's metrics against published implementations (tests/golden/make_metrics.py) and against cases whose answer
// is known.
#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "datasets/mixture.h"
#include "evaluation/classes.h"
#include "evaluation/frechet.h"
#include "evaluation/kernel_distance.h"
#include "evaluation/line_distances.h"
#include "evaluation/mixture_modes.h"
#include "evaluation/neighbours.h"
#include "evaluation/pairs.h"
#include "evaluation/symmetric_eigen.h"
#include "training/safetensors.h"

using namespace forger;

namespace {

const SafetensorsFile& golden() {
  static const SafetensorsFile file = read_safetensors(FORGER_SOURCE_DIR "/tests/golden/metrics.safetensors");
  return file;
}
double number(const std::string& name) {
  return golden().at(name).values<double>().at(0);
}

/// |got - expected| relative to 1 + |expected|.
double error(double got, double expected) {
  return std::fabs(got - expected) / (1 + std::fabs(expected));
}

}  // namespace

TEST_CASE("metrics: eigenvalues and roots of symmetric matrices as LAPACK's") {
  const auto a = golden().at("symmetric").values<double>(), expected = golden().at("eigenvalues").values<double>();
  const SymmetricEigen e = symmetric_eigen(a, 12);
  for (size_t i = 0; i < 12; ++i) CHECK(error(e.values[i], expected[i]) < 1e-13);
  for (size_t i = 0; i < 12; ++i) {  // A v = lambda v
    for (size_t j = 0; j < 12; ++j) {
      double sum = 0;
      for (size_t k = 0; k < 12; ++k) sum += a[i * 12 + k] * e.vectors[k * 12 + j];
      CHECK(error(sum, e.values[j] * e.vectors[i * 12 + j]) < 1e-13);
    }
  }
  const auto root = symmetric_sqrt(golden().at("psd").values<double>(), 12), sqrtm = golden().at("psd_sqrt").values<double>();
  for (size_t i = 0; i < root.size(); ++i) CHECK(error(root[i], sqrtm[i]) < 1e-11);
  CHECK_THROWS_AS(symmetric_eigen(a, 11), ShapeError);
  CHECK_THROWS_AS(symmetric_eigen(std::vector<double>{1, NAN, NAN, 1}, 2), DataError);
}

TEST_CASE("metrics: Frechet distance, KID, precision, recall, density, coverage as published code") {
  const auto real = golden().at("real").values<float>(), fake = golden().at("fake").values<float>();
  const Points x{real, 9}, y{fake, 9};
  CHECK(error(frechet_distance(moments(x), moments(y)), number("frechet")) < 1e-9);
  CHECK(std::fabs(frechet_distance(moments(x), moments(x))) < 1e-9);
  CHECK(error(kernel_distance(x, y), number("kid")) < 1e-6);
  const NeighbourMetrics m = neighbour_metrics(x, y, neighbour_radii(x), neighbour_radii(y));
  CHECK(m.precision == doctest::Approx(number("precision")).epsilon(1e-12));
  CHECK(m.recall == doctest::Approx(number("recall")).epsilon(1e-12));
  CHECK(m.density == doctest::Approx(number("density")).epsilon(1e-12));
  CHECK(m.coverage == doctest::Approx(number("coverage")).epsilon(1e-12));
  // Subsets of all points are the whole sets in another order.
  CHECK(error(kernel_distance_of_subsets(x, y, 2, 1000), number("kid")) < 1e-6);
  const double halves = kernel_distance_of_subsets(x, y, 10, 75);
  CHECK(halves == kernel_distance_of_subsets(x, y, 10, 75));  // one seed, one number
  CHECK(halves != kernel_distance_of_subsets(x, y, 10, 75, 1));
  CHECK(std::fabs(halves - number("kid")) < 0.5 * std::fabs(number("kid")) + 0.05);
  CHECK_THROWS_AS(kernel_distance(x, y.first(100)), DataError);
  CHECK_THROWS_AS(neighbour_radii(x.first(5)), DataError);
  CHECK_THROWS_AS(frechet_distance(moments(x), moments({fake, 10})), ShapeError);
}

TEST_CASE("metrics: pairs of points, in every remainder of the tiles, and equal points at distance 0") {
  const auto values = golden().at("real").values<float>();
  for (const auto& [m, n] : {std::pair{1, 1}, {3, 7}, {33, 9}, {37, 64}}) {
    const Points a = Points{values, 9}.first(m), b = Points{values, 9}.first(n);
    std::vector<int> calls(static_cast<size_t>(m), 0);
    for_each_distance_row(a, b, [&](int64_t i, std::span<const float> row) {
      ++calls[static_cast<size_t>(i)];
      bool good = row.size() == static_cast<size_t>(n);
      for (size_t j = 0; j < row.size(); ++j) {
        double expected = 0;
        for (size_t k = 0; k < 9; ++k) expected += std::pow(double{a.row(i)[k]} - double{b.row(static_cast<int64_t>(j))[k]}, 2);
        good = good && std::fabs(double{row[j]} - expected) < 1e-5 && (static_cast<int64_t>(j) != i || row[j] == 0);
      }
      if (!good) calls[static_cast<size_t>(i)] = 99;
    });
    CHECK(calls == std::vector<int>(static_cast<size_t>(m), 1));
  }
}

TEST_CASE("metrics: distances on a line as SciPy's") {
  const auto a = golden().at("line_a").values<double>(), b = golden().at("line_b").values<double>();
  CHECK(error(wasserstein_1(a, b), number("w1")) < 1e-13);
  CHECK(error(kolmogorov_smirnov(a, b), number("ks")) < 1e-13);
  const auto normal = [](double v) { return std::erfc(-v / std::numbers::sqrt2) / 2; };
  CHECK(error(kolmogorov_smirnov(a, normal), number("ks_normal")) < 1e-13);
  CHECK(wasserstein_1(a, a) == 0);
  CHECK(wasserstein_1(std::vector{0.0, 1.0}, std::vector{3.0}) == doctest::Approx(2.5));
  CHECK_THROWS_AS(wasserstein_1(a, {}), DataError);
  CHECK_THROWS_AS(kolmogorov_smirnov(a, std::vector<double>{NAN}), DataError);
}

TEST_CASE("metrics: classifier score as SciPy's entropy, total variation, stacked modes") {
  CHECK(error(classifier_score(golden().at("probabilities").values<float>()), number("score")) < 1e-6);
  CHECK(classifier_score(std::vector<float>(30, 0.1f)) == doctest::Approx(1));
  CHECK(total_variation(std::vector{0.5, 0.5, 0.0}, std::vector{0.25, 0.25, 0.5}) == doctest::Approx(0.5));
  CHECK(class_shares(std::vector<uint8_t>{0, 1, 1, 3}, 4) == std::vector<double>{0.25, 0.5, 0, 0.25});
  CHECK_THROWS_AS(class_shares(std::vector<uint8_t>{4}, 4), DataError);
  // Every mode once: all of them, and no divergence. Half of them: log 2.
  std::vector<uint8_t> labels;
  for (int mode = 0; mode < 1000; ++mode) {
    for (const int digit : {mode / 100, mode / 10 % 10, mode % 10}) labels.push_back(static_cast<uint8_t>(digit));
  }
  CHECK(stacked_modes(labels).modes == 1000);
  CHECK(std::fabs(stacked_modes(labels).kl) < 1e-12);
  labels.resize(1500);
  CHECK(stacked_modes(labels).modes == 500);
  CHECK(stacked_modes(labels).kl == doctest::Approx(std::log(2)));
}

TEST_CASE("metrics: mixtures: a perfect sampler, lost modes, shrunk and blurred ones") {
  for (const Mixture& mixture : {ring8(), grid25(), gaussians4()}) {
    const auto modes = mixture.modes();
    auto samples = sample(mixture, 10'000, 3);
    const MixtureMetrics perfect = mixture_metrics(mixture, samples);
    CHECK(perfect.modes == modes);
    CHECK(perfect.modes_lenient == modes);
    // 98.89 % of a normal distribution in the plane lie within 3 sigma. gaussians4's modes touch there.
    CHECK(perfect.high_quality == doctest::Approx(0.9889).epsilon(0.004));
    CHECK(perfect.reverse_kl < 0.003);
    CHECK(perfect.sigma_ratio == doctest::Approx(1).epsilon(0.02));
    // A mode of which every tenth sample is left is there for the lenient count only.
    std::vector<float> dropped;
    for (size_t i = 0; i < samples.size(); i += 2) {
      const bool first = std::hypot(samples[i] - mixture.centers[0], samples[i + 1] - mixture.centers[1]) < 3 * mixture.scale;
      if (!first || i % 20 == 0) dropped.insert(dropped.end(), {samples[i], samples[i + 1]});
    }
    const MixtureMetrics lost = mixture_metrics(mixture, dropped);
    CHECK(lost.modes == modes - 1);
    CHECK(lost.modes_lenient == modes);
    CHECK(lost.reverse_kl > 0.02);
    // Samples moved half-way to their centre.
    std::vector<float> shrunk = sample({mixture.dims, mixture.centers, mixture.scale / 2, mixture.noise}, 10'000, 4);
    CHECK(mixture_metrics(mixture, shrunk).sigma_ratio == doctest::Approx(0.505).epsilon(0.03));
    CHECK(mixture_metrics(mixture, shrunk).high_quality > 0.9999);
    CHECK(mixture_metrics(mixture, std::vector<float>{100, 100}).modes_lenient == 0);
  }
  CHECK_THROWS_AS(mixture_metrics(ring8(), {}), DataError);
  CHECK_THROWS_AS(mixture_metrics(ring8(), std::vector<float>{1}), DataError);
  CHECK_THROWS_AS(mixture_metrics(normal1d(), std::vector<float>{1, 2}), ConfigError);
}

TEST_CASE("metrics: the pattern 1010: perfect samples, and one point") {
  const PatternMetrics perfect = pattern_metrics(pattern1010(), sample(pattern1010(), 10'000, 3));
  CHECK(perfect.in_box == 1);
  CHECK(perfect.mean_error < 0.002);
  CHECK(perfect.ks < 0.02);
  CHECK(perfect.correlation < 0.05);
  std::vector<float> points;
  for (int i = 0; i < 100; ++i) points.insert(points.end(), {0.939f, 0.053f, 0.939f, 0.25f});
  const PatternMetrics point = pattern_metrics(pattern1010(), points);
  CHECK(point.in_box == 0);
  CHECK(point.mean_error == doctest::Approx(0.15));
  CHECK(point.ks == doctest::Approx(1));
  CHECK(point.correlation == 1);
}
