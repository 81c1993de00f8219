// The monitor: says during training what is wrong with a GAN. Pure arithmetic on numbers that the trainer has read
// anyway; the thresholds are those below, the reasons in docs/watching.md.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "training/loss_balance.h"

namespace forger {

/// What can be wrong, worst first.
enum class Trouble { diverged, collapse, memorisation, d_won, oscillation };

/// "diverged", "collapse", "memorisation", "d-won", "oscillation": what metrics.jsonl holds.
const char* name_of(Trouble trouble);
/// The trouble of this name, or none.
std::optional<Trouble> trouble_of(const std::string& name);

struct RunVerdict {
  Trouble trouble;
  std::string message;  // what was seen, its limit, what to try: one line
};

/// Losses and accuracy of one training step.
struct LossRecord {
  int64_t step = 0;
  double d_loss = 0, d_accuracy = 0, g_loss = 0;
};

/// A look at samples and optimizers, made when a picture is drawn. NaN: not measured.
struct SampleRecord {
  int64_t step = 0;
  double diversity, coverage;     // of fakes as a share of the reals'; see evaluation/diversity.h
  double g_gradient, d_gradient;  // norms, see training/gradient_norms.h
};

/// An evaluation, see training/periodic_evaluation.h. NaN and an empty list: not measured.
struct EvaluationRecord {
  int64_t step = 0;
  double covered = std::numeric_limits<double>::quiet_NaN();  // as a share of what real samples cover, or of all modes
  double fdz = std::numeric_limits<double>::quiet_NaN();      // Frechet distance
  double copies = std::numeric_limits<double>::quiet_NaN();  // share of samples nearer to a training image than held-out ones are
  std::vector<double> class_shares = {};
};

class Monitor {
 public:
  static constexpr int64_t kWindow = 500;          // steps
  static constexpr double kWonAccuracy = 0.95;     // D won: accuracy above
  static constexpr double kWonLoss = 0.144;        // D won: loss below, as a share of its equilibrium (0.1 of log 2)
  static constexpr double kGradientNorm = 100;     // diverged: above
  static constexpr double kLoss = 1000;            // diverged: a loss beyond this size
  static constexpr double kDiversity = 0.5;        // collapse: below
  static constexpr double kCoverage = 0.5;         // collapse: below
  static constexpr double kAutocorrelation = 0.5;  // oscillation: a peak above
  static constexpr double kCopies = 0.2;           // memorisation: share of samples from
  static constexpr double kNearCopies = 0.1;       // memorisation, in an evaluation: share above
  static constexpr double kClassShare = 0.02;      // collapse, in evaluations of ten classes: a class below
  static constexpr double kClassMoves = 0.15;      // oscillation: total variation between evaluations above

  explicit Monitor(LossBalance equilibrium) : equilibrium_(std::move(equilibrium)) {}

  /// Steps ascend. Records of less than kWindow steps into the run count, but give no verdict.
  void add(const LossRecord& record);
  void add(const SampleRecord& record);
  void add(const EvaluationRecord& record);
  /// The share of samples that copy training images, looked at once, at the end.
  void set_copied_share(double share) { copied_ = share; }
  /// A loss or a weight is not finite.
  void set_not_finite(std::string what) { not_finite_ = std::move(what); }

  /// What is wrong now, worst first; empty: healthy.
  std::vector<RunVerdict> verdicts() const;

 private:
  void judge_window(std::vector<RunVerdict>& found) const;
  void judge_samples(std::vector<RunVerdict>& found) const;
  void judge_evaluations(std::vector<RunVerdict>& found) const;
  void judge_oscillation(std::vector<RunVerdict>& found) const;

  LossBalance equilibrium_;
  std::deque<LossRecord> losses_;
  std::deque<SampleRecord> samples_;
  std::deque<EvaluationRecord> evaluations_;
  double copied_ = 0;
  std::string not_finite_;
};

/// The highest peak of a series' autocorrelation behind its first zero, and its lag: the period of an oscillation. A
/// straight line is taken off first. None for fewer than 16 values, and where the series has no peak or does not move.
struct AutocorrelationPeak {
  double value;
  int64_t lag;
};
std::optional<AutocorrelationPeak> autocorrelation_peak(const std::vector<double>& series);

}  // namespace forger
