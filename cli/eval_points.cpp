// `forger eval` for points: mixtures in the plane, the normal distribution on a line, the pattern 1010.
#include <cmath>

#include "cli/eval.h"
#include "datasets/mixture.h"
#include "datasets/shape_text.h"
#include "evaluation/histogram_kl.h"
#include "evaluation/line_distances.h"
#include "evaluation/mixture_modes.h"
#include "kernels/common/errors.h"
#include "models/real_data.h"

namespace forger {
namespace {

// Seeds of the real samples: far from those that runs are trained with.
constexpr uint64_t kReferenceSeed = 0x6576616C'0001, kFloorSeed = 0x6576616C'0002;

void judge(EvalReport& r, bool good, bool excellent, const std::string& failure) {
  r.good = good;
  r.verdict = excellent ? "excellent: near what real samples give" : good ? "works" : "not good enough yet: " + failure;
}

void mixture_rows(EvalReport& r, const std::string& distribution, const Mixture& mixture, std::span<const float> samples) {
  const MixtureMetrics m = mixture_metrics(mixture, samples);
  const MixtureMetrics f = mixture_metrics(mixture, sample(mixture, r.count, kFloorSeed));
  const auto real = [](int64_t n) { return static_cast<double>(n); };
  const bool strict = distribution == "ring8";
  const double quality = strict ? 0.95 : 0.90;
  r.rows = {
      {"modes", "modes (25 % of their share)", real(m.modes), real(f.modes), fmt::format("{}", mixture.modes())},
      {"modes_lenient", "modes (one sample)", real(m.modes_lenient), real(f.modes_lenient), fmt::format("{}", mixture.modes())},
      {"high_quality", "share within 3 sigma of a mode", m.high_quality, f.high_quality,
       fmt::format("{:.2f} or more; above .991 the modes have shrunk", quality)},
      {"reverse_kl", "KL(modes || uniform), nats", m.reverse_kl, f.reverse_kl, "at most .05"},
      {"sigma_ratio", "deviation / the mode's", m.sigma_ratio, f.sigma_ratio, ".9 to 1.1"},
  };
  const bool all = m.modes == mixture.modes();
  if (!all) r.failures.emplace_back("dropped modes");
  if (m.high_quality < quality) r.failures.emplace_back("noise");
  if (m.sigma_ratio < 0.5) r.failures.emplace_back("collapse");
  const bool good = all && m.high_quality >= quality && m.reverse_kl <= 0.05;
  judge(r, good,
        good && m.high_quality >= 0.96 && m.high_quality <= 0.991 && m.reverse_kl <= 0.01 && std::fabs(m.sigma_ratio - 1) <= 0.1,
        fmt::format("{} of {} modes, {:.1f} % of the samples near one, KL {:.3f}, deviation {:.2f} of the mode's", m.modes,
                    mixture.modes(), 100 * m.high_quality, m.reverse_kl, m.sigma_ratio));
}

void line_rows(EvalReport& r, const Mixture& mixture, std::span<const float> samples) {
  const auto doubles = [](std::span<const float> v) { return std::vector<double>(v.begin(), v.end()); };
  const std::vector<double> fake = doubles(samples), real = doubles(sample(mixture, r.count, kReferenceSeed)),
                            floor = doubles(sample(mixture, r.count, kFloorSeed));
  const double sigma = static_cast<double>(mixture.scale), kl = histogram_kl(real, fake), w1 = wasserstein_1(real, fake) / sigma;
  const double ks = kolmogorov_smirnov(real, fake), ratio = deviation_of(fake) / sigma;
  r.rows = {
      {"kl", "KL(real || generated), 42 bins", kl, histogram_kl(real, floor), "at most .02, .002 is excellent"},
      {"w1", "W1, in sigma", w1, wasserstein_1(real, floor) / sigma, "at most .10, .02 is excellent"},
      {"ks", "Kolmogorov-Smirnov", ks, kolmogorov_smirnov(real, floor), ".01 is excellent"},
      {"mean_error", "|mean|, in sigma", std::fabs(mean_of(fake)) / sigma, std::fabs(mean_of(floor)) / sigma, "near 0"},
      {"sigma_ratio", "deviation / sigma", ratio, deviation_of(floor) / sigma, ".98 to 1.02 is excellent"},
  };
  if (ratio < 0.2) r.failures.emplace_back("collapse");
  const bool good = w1 <= 0.10 && kl <= 0.02;
  judge(r, good, w1 <= 0.02 && kl <= 0.002 && ks <= 0.01 && std::fabs(ratio - 1) <= 0.02,
        fmt::format("W1 is {:.3f} sigma, KL {:.4f}", w1, kl));
}

void pattern_rows(EvalReport& r, const Mixture& mixture, std::span<const float> samples) {
  const PatternMetrics m = pattern_metrics(mixture, samples), f = pattern_metrics(mixture, sample(mixture, r.count, kFloorSeed));
  r.rows = {
      {"in_box", "share with all numbers in place", m.in_box, f.in_box, "1"},
      {"mean_error", "largest error of a mean", m.mean_error, f.mean_error, "at most .05"},
      {"ks", "Kolmogorov-Smirnov, worst", m.ks, f.ks, ".05 is excellent (not with a constant input)"},
      {"correlation", "largest |correlation|", m.correlation, f.correlation, ".05 is excellent (not with a constant input)"},
  };
  const bool good = m.in_box == 1 && m.mean_error <= 0.05;
  judge(r, good, good && m.ks <= 0.05 && m.correlation <= 0.05,
        fmt::format("{:.1f} % of the samples lie in the box, a mean is off by {:.3f}", 100 * m.in_box, m.mean_error));
}

}  // namespace

EvalReport eval_points(const SampleArray& points, const std::string& name, const EvalArguments& a) {
  const Mixture mixture = mixture_of(a.distribution);
  const int64_t width = points.dims.size() == 1 ? 1 : points.dims.back();
  if (points.dims.size() > 2 || width != mixture.dims) {
    fail<DataError>("{}: has shape {}, samples of {} are [n, {}]", name, shape_text(points.dims), a.distribution, mixture.dims);
  }
  EvalReport r;
  r.samples = name;
  r.count = points.dims[0];
  r.reference = fmt::format("{}: what its samples were drawn from", a.distribution);
  r.floor = fmt::format("{} real samples", r.count);
  if (a.distribution == "pattern1010") {
    pattern_rows(r, mixture, points.values);
  } else if (mixture.dims == 1) {
    line_rows(r, mixture, points.values);
  } else {
    mixture_rows(r, a.distribution, mixture, points.values);
  }
  return r;
}

}  // namespace forger
