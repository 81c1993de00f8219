#include "training/monitor.h"

#include <algorithm>
#include <cmath>

#include "evaluation/classes.h"
#include "kernels/common/errors.h"

namespace forger {
namespace {

constexpr const char* kNames[] = {"diverged", "collapse", "memorisation", "d-won", "oscillation"};

constexpr size_t kFewest = 3;               // records that a window has at least, whatever their distance
constexpr size_t kMostLosses = 256;         // records kept: enough for a window and for an oscillation's period
constexpr size_t kOscillationRecords = 64;  // with fewer, noise has peaks above the limit
constexpr size_t kClassMoveLooks = 4;       // evaluations in which classes come and go: once is learning
constexpr double kGrowth = 1.1;             // between two looks: still on its way, not collapsed
constexpr double kMoves = 0.05;             // an oscillation is no ripple: standard deviation as a share of the equilibrium

double mean(const std::vector<LossRecord>& records, double LossRecord::*member) {
  double sum = 0;
  for (const LossRecord& r : records) sum += r.*member;
  return sum / static_cast<double>(records.size());
}

}  // namespace

const char* name_of(Trouble trouble) {
  return kNames[static_cast<int>(trouble)];
}

std::optional<Trouble> trouble_of(const std::string& name) {
  for (int i = 0; i < static_cast<int>(std::size(kNames)); ++i) {
    if (name == kNames[i]) return static_cast<Trouble>(i);
  }
  return {};
}

void Monitor::add(const LossRecord& record) {
  losses_.push_back(record);
  if (losses_.size() > kMostLosses) losses_.pop_front();
}

void Monitor::add(const SampleRecord& record) {
  samples_.push_back(record);
  if (samples_.size() > 2) samples_.pop_front();
}

void Monitor::add(const EvaluationRecord& record) {
  evaluations_.push_back(record);
  if (evaluations_.size() > kClassMoveLooks) evaluations_.pop_front();
}

std::vector<RunVerdict> Monitor::verdicts() const {
  std::vector<RunVerdict> found;
  if (!not_finite_.empty()) found.push_back({Trouble::diverged, not_finite_});
  judge_window(found);
  judge_samples(found);
  judge_oscillation(found);
  judge_evaluations(found);
  if (copied_ >= kCopies) {
    found.push_back({Trouble::memorisation,
                     fmt::format("{:.0f} % of the samples copy training images (limit {:.0f} %); train on more data, or for "
                                 "fewer steps",
                                 100 * copied_, 100 * kCopies)});
  }
  std::stable_sort(found.begin(), found.end(), [](const RunVerdict& a, const RunVerdict& b) { return a.trouble < b.trouble; });
  // Two sights of one trouble are one verdict.
  const auto same = [](const RunVerdict& a, const RunVerdict& b) { return a.trouble == b.trouble; };
  found.erase(std::unique(found.begin(), found.end(), same), found.end());
  return found;
}

void Monitor::judge_window(std::vector<RunVerdict>& found) const {
  if (losses_.size() < kFewest || losses_.back().step < kWindow) return;
  const int64_t now = losses_.back().step;
  std::vector<LossRecord> window;
  for (auto r = losses_.rbegin(); r != losses_.rend(); ++r) {
    if (r->step <= now - kWindow && window.size() >= kFewest) break;
    window.push_back(*r);
  }
  const double accuracy = mean(window, &LossRecord::d_accuracy);
  const double d_loss = mean(window, &LossRecord::d_loss), g_loss = mean(window, &LossRecord::g_loss);
  const int64_t span = now - window.back().step;
  if (std::abs(d_loss) > kLoss || std::abs(g_loss) > kLoss) {
    found.push_back({Trouble::diverged, fmt::format("the losses are {:.3g} (D) and {:.3g} (G) over the last {} steps (limit "
                                                    "{:.0f}); lower --g-lr and --d-lr",
                                                    d_loss, g_loss, span, kLoss)});
  }
  const bool positive = equilibrium_.d_loss && *equilibrium_.d_loss > 0;
  const std::optional<double> floor = positive ? std::optional(kWonLoss * *equilibrium_.d_loss) : std::nullopt;
  // A critic whose equilibrium is 0 (Wasserstein) is meant to rank well, whoever wins.
  if (floor && accuracy > kWonAccuracy) {
    found.push_back({Trouble::d_won, fmt::format("D is right about {:.1f} % of its samples over the last {} steps (limit {:.0f} "
                                                 "%), so that G learns little; lower --d-lr or give --instance-noise",
                                                 100 * accuracy, span, 100 * kWonAccuracy)});
  } else if (floor && d_loss < *floor) {
    found.push_back({Trouble::d_won, fmt::format("D's loss is {:.3f} over the last {} steps (limit {:.3f}), so that G learns "
                                                 "little; lower --d-lr or give --instance-noise",
                                                 d_loss, span, *floor)});
  }
}

/// Two looks in a row: one bad picture is no collapse, and a generator that is still spreading out is none either.
void Monitor::judge_samples(std::vector<RunVerdict>& found) const {
  if (samples_.size() < 2 || samples_.front().step < kWindow) return;
  const auto both = [&](auto bad) { return bad(samples_[0]) && bad(samples_[1]); };  // NaN is never bad
  const SampleRecord& last = samples_.back();
  if (both([](const SampleRecord& r) { return r.g_gradient > kGradientNorm || r.d_gradient > kGradientNorm; })) {
    found.push_back({Trouble::diverged, fmt::format("the gradients' norms are {:.3g} (G) and {:.3g} (D) (limit {:.0f}); lower "
                                                    "--g-lr and --d-lr",
                                                    last.g_gradient, last.d_gradient, kGradientNorm)});
  }
  const auto grows = [&](double SampleRecord::*member) { return last.*member > kGrowth * samples_[0].*member; };
  if (both([](const SampleRecord& r) { return r.diversity < kDiversity; }) && !grows(&SampleRecord::diversity)) {
    found.push_back({Trouble::collapse, fmt::format("the samples differ from one another by {:.0f} % of what real ones do (limit "
                                                    "{:.0f} %); lower --g-lr, or try another --seed",
                                                    100 * last.diversity, 100 * kDiversity)});
  } else if (both([](const SampleRecord& r) { return r.coverage < kCoverage; }) && !grows(&SampleRecord::coverage)) {
    found.push_back({Trouble::collapse, fmt::format("the samples reach {:.0f} % of the real distribution (limit {:.0f} %); lower "
                                                    "--g-lr, or try another --seed",
                                                    100 * last.coverage, 100 * kCoverage)});
  }
}

/// Like pictures, two in a row; classes that come and go need more.
void Monitor::judge_evaluations(std::vector<RunVerdict>& found) const {
  if (evaluations_.empty()) return;
  const EvaluationRecord& last = evaluations_.back();
  if (last.copies > kNearCopies) {
    found.push_back({Trouble::memorisation,
                     fmt::format("{:.0f} % of the evaluated samples are nearly training images (limit {:.0f} %); train on more "
                                 "data, or for fewer steps",
                                 100 * last.copies, 100 * kNearCopies)});
  }
  if (evaluations_.size() < 2) return;
  const EvaluationRecord& before = evaluations_[evaluations_.size() - 2];
  if (before.step < kWindow) return;
  const auto low = [](double earlier, double now, double limit) {
    return earlier < limit && now < limit && !(now > kGrowth * earlier);
  };
  const auto rarest = [](const EvaluationRecord& r) {
    const auto it = std::min_element(r.class_shares.begin(), r.class_shares.end());
    return it == r.class_shares.end() ? 1.0 : *it;
  };
  if (low(before.covered, last.covered, kCoverage)) {
    found.push_back({Trouble::collapse, fmt::format("the evaluated samples cover {:.0f} % of what real ones do (limit {:.0f} %); "
                                                    "lower --g-lr, or try another --seed",
                                                    100 * last.covered, 100 * kCoverage)});
  } else if (low(rarest(before), rarest(last), kClassShare)) {
    const auto it = std::min_element(last.class_shares.begin(), last.class_shares.end());
    found.push_back(
        {Trouble::collapse, fmt::format("class {} is {:.1f} % of the evaluated samples (limit {:.0f} %); lower --g-lr, "
                                        "or try another --seed",
                                        it - last.class_shares.begin(), 100 * *it, 100 * kClassShare)});
  }
  if (evaluations_.size() < kClassMoveLooks) return;
  double least = 1;
  for (size_t i = 1; i < evaluations_.size(); ++i) {
    const auto &a = evaluations_[i - 1].class_shares, &b = evaluations_[i].class_shares;
    least = std::min(least, a.empty() || a.size() != b.size() ? 0.0 : total_variation(a, b));
  }
  // A distance that falls by a tenth says that it goes somewhere.
  if (least > kClassMoves && kGrowth * last.fdz > evaluations_.front().fdz) {
    found.push_back({Trouble::oscillation, fmt::format("classes come and go: {:.0f} % of the samples or more change their class "
                                                       "from one evaluation to the next (limit {:.0f} %), and FDz does not "
                                                       "fall; lower --g-lr and --d-lr, or --beta1",
                                                       100 * least, 100 * kClassMoves)});
  }
}

void Monitor::judge_oscillation(std::vector<RunVerdict>& found) const {
  if (losses_.size() < kOscillationRecords || !equilibrium_.d_loss || *equilibrium_.d_loss <= 0) return;
  std::vector<double> series;
  for (const LossRecord& r : losses_) series.push_back(r.d_loss);
  double sum = 0, squares = 0;
  for (const double v : series) sum += v;
  const double average = sum / static_cast<double>(series.size());
  for (const double v : series) squares += (v - average) * (v - average);
  if (std::sqrt(squares / static_cast<double>(series.size())) < kMoves * *equilibrium_.d_loss) return;
  const auto peak = autocorrelation_peak(series);
  if (!peak || peak->value <= kAutocorrelation) return;
  const int64_t spacing = (losses_.back().step - losses_.front().step) / static_cast<int64_t>(losses_.size() - 1);
  found.push_back({Trouble::oscillation, fmt::format("D's loss goes up and down every {} steps (autocorrelation {:.2f}, limit "
                                                     "{:.2f}); lower --g-lr and --d-lr, or --beta1",
                                                     peak->lag * spacing, peak->value, kAutocorrelation)});
}

std::optional<AutocorrelationPeak> autocorrelation_peak(const std::vector<double>& series) {
  const size_t n = series.size();
  if (n < 16 || !std::all_of(series.begin(), series.end(), [](double v) { return std::isfinite(v); })) return {};
  // Residuals of the least-squares line over x = -(n-1)/2 .. (n-1)/2.
  double mean_y = 0, xy = 0, xx = 0;
  for (size_t i = 0; i < n; ++i) {
    const double x = static_cast<double>(i) - static_cast<double>(n - 1) / 2;
    mean_y += series[i] / static_cast<double>(n);
    xy += x * series[i];
    xx += x * x;
  }
  std::vector<double> r(n);
  double variance = 0, size = 0;
  for (size_t i = 0; i < n; ++i) {
    r[i] = series[i] - mean_y - xy / xx * (static_cast<double>(i) - static_cast<double>(n - 1) / 2);
    variance += r[i] * r[i];
    size += series[i] * series[i];
  }
  if (variance <= 1e-20 * size) return {};  // a line, but for rounding
  // Unbiased in the number of terms, so that a sine of few periods still reaches 1.
  const auto at = [&](size_t lag) {
    double sum = 0;
    for (size_t i = 0; i + lag < n; ++i) sum += r[i] * r[i + lag];
    return sum / variance * static_cast<double>(n) / static_cast<double>(n - lag);
  };
  size_t lag = 1;
  while (lag <= n / 2 && at(lag) > 0) ++lag;
  std::optional<AutocorrelationPeak> best;
  for (; lag <= n / 2; ++lag) {
    const double value = at(lag);
    if (value > 0 && (!best || value > best->value)) best = {value, static_cast<int64_t>(lag)};
  }
  return best;
}

}  // namespace forger
