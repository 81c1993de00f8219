#include "evaluation/verdict.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace forger {
namespace {

// A sample set fails by a name when it lies clearly beyond what real images ever do (the floors are beside each).
constexpr double kCopies = 0.10;    // 0 exact, .005 near by definition
constexpr double kCollapsed = 0.5;  // mean distance of two samples; 1 for real ones
constexpr double kRepeats = 0.05;   // duplicates; 0 for real ones
constexpr double kCrowded = 0.5;    // spacing; 1 for real ones
constexpr double kMissing = 0.02;   // share of a class that has 5 % or more in the reference
constexpr double kNoise = 0.05;     // outliers; .01 by definition

std::vector<int> missing_classes(const DigitMetrics& m, const DigitMetrics& floor) {
  std::vector<int> missing;
  for (size_t c = 0; c < m.class_shares.size(); ++c) {
    if (m.class_shares[c] < kMissing && floor.class_shares[c] > 0.05) missing.push_back(static_cast<int>(c));
  }
  return missing;
}

/// Every failed part of the gate, with what was found and what is wanted.
std::vector<std::string> gate(const DigitMetrics& m, const DigitMetrics& floor) {
  std::vector<std::string> missed;
  const double times = m.fdz / floor.fdz;
  if (times > 20) missed.push_back(fmt::format("FDz is {:.0f} times its floor (at most 20)", times));
  if (m.prdc.coverage < 0.88) missed.push_back(fmt::format("coverage is {:.3f} (at least .88)", m.prdc.coverage));
  if (m.score_ratio < 0.95) missed.push_back(fmt::format("the score is {:.1f} % of real (at least 95)", 100 * m.score_ratio));
  if (m.class_tv > 0.06) missed.push_back(fmt::format("class TV is {:.3f} (at most .06)", m.class_tv));
  return missed;
}

}  // namespace

const char* name_of(Failure failure) {
  switch (failure) {
    case Failure::copies:
      return "copies";
    case Failure::collapse:
      return "collapse";
    case Failure::repeats:
      return "repeats";
    case Failure::dropped_class:
      return "dropped class";
    case Failure::noise:
      return "noise";
  }
  return "?";
}

SampleVerdict judge_samples(const DigitMetrics& m, const DigitMetrics& floor) {
  SampleVerdict v;
  std::vector<std::string> said;
  const auto found = [&](Failure failure, std::string text) {
    v.failures.push_back(failure);
    said.push_back(fmt::format("{}: {}", name_of(failure), text));
  };
  if (m.exact_copies > kCopies || m.near_copies > kCopies) {
    found(Failure::copies, fmt::format("{:.1f} % of the samples are training images, {:.1f} % nearly so", 100 * m.exact_copies,
                                       100 * m.near_copies));
  }
  const std::vector<int> missing = missing_classes(m, floor);
  const bool collapsed = m.spread_ratio < kCollapsed || missing.size() > 5;
  if (collapsed) {
    found(Failure::collapse, fmt::format("two samples are {:.0f} % as far apart as two real images, {} of {} classes are there",
                                         100 * m.spread_ratio, m.class_shares.size() - missing.size(), m.class_shares.size()));
  }
  if (!collapsed && (m.duplicates > kRepeats || m.spacing_ratio < kCrowded)) {
    found(Failure::repeats, fmt::format("{:.1f} % repeat an earlier sample; neighbours are {:.0f} % as far apart as real ones",
                                        100 * m.duplicates, 100 * m.spacing_ratio));
  }
  if (!collapsed && !missing.empty()) {
    found(Failure::dropped_class, fmt::format("{} {} less than 2 % of the samples", fmt::join(missing, ", "),
                                              missing.size() == 1 ? "makes" : "make each"));
  }
  const double strange = std::max(m.outliers, m.pixel_outliers);
  if (strange > kNoise) {
    found(Failure::noise, fmt::format("{:.1f} % of the samples are like no real image (1 % of real ones are)", 100 * strange));
  }
  const std::vector<std::string> missed = gate(m, floor);
  v.good = v.failures.empty() && missed.empty();
  v.excellent = v.good && m.fdz <= 4 * floor.fdz && m.prdc.coverage >= std::min(0.95, floor.prdc.coverage) &&
                m.prdc.density >= 0.95 && m.prdc.density <= 1.05 && m.score_ratio >= 0.99 && m.class_tv <= 0.02;
  if (v.excellent) {
    v.text = "excellent: hardly to be told from real images";
  } else if (v.good) {
    v.text = "works: all classes, varied, recognisable, no copies";
  } else {
    said.insert(said.end(), missed.begin(), missed.end());
    v.text = (v.failures.empty() ? "not good enough yet: " : "") + fmt::format("{}", fmt::join(said, "; "));
  }
  return v;
}

}  // namespace forger
