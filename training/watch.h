// What watches a run: feeds the monitor, tells its verdicts, writes TensorBoard's events and the report.
#pragma once

#include <chrono>
#include <memory>

#include "training/console.h"
#include "training/critic_view.h"
#include "training/event_file.h"
#include "training/holdout_gap.h"
#include "training/metrics.h"
#include "training/monitor.h"
#include "training/periodic_evaluation.h"
#include "training/run_directory.h"
#include "training/samples.h"

namespace forger {

class Watch {
 public:
  /// All outlive the watch. The monitor takes up what metrics.jsonl holds of steps before `first_step`.
  Watch(const Recipe& recipe, const Config& config, const RealData& data, const Backend& backend, VariableStore& variables,
        const std::vector<float>& reals, const RunDirectory& directory, Console& console, MetricsFile& metrics,
        int64_t first_step);

  /// A log line's values were read: named as in metrics.jsonl, `step` counts from 0.
  void log(int64_t step, const std::vector<std::pair<std::string, double>>& values);

  /// A picture of `fakes` was written to `png` after `step` steps. Rewrites the report if the last is older than ten seconds.
  void picture(int64_t step, const std::string& png, const std::vector<float>& fakes);

  /// The samples of `step` steps were evaluated.
  void evaluated(int64_t step, const PeriodicEvaluation::Result& result);

  /// The verdict for which the run should end ("on-collapse" is "stop"), or none.
  std::optional<RunVerdict> reason_to_stop() const;

  /// The run has diverged at `step`: keeps that as the verdict and writes the report.
  void diverged(int64_t step, const std::string& message);

  /// Looks for memorisation, tells the last verdict, writes the report. `stopped`: because of a verdict or by a signal.
  void finish(int64_t step, bool stopped);

 private:
  void restore(int64_t first_step);
  void look_at_samples(int64_t step, const std::vector<float>& fakes);
  void tell(int64_t step);
  void keep(int64_t step, const std::string& verdict, const std::string& message);
  void report(int64_t step);

  const Recipe& recipe_;
  const Config& config_;
  const RealData& data_;
  VariableStore& variables_;
  const std::vector<float>& reals_;
  const RunDirectory& directory_;
  Console& console_;
  MetricsFile& metrics_;
  Monitor monitor_;
  EventFile events_;
  CriticView critic_;
  HoldoutGap gap_;
  std::vector<float> last_fakes_;
  std::vector<RunVerdict> told_;  // what is known to be wrong; empty: healthy
  std::chrono::steady_clock::time_point last_report_{};
  bool reported_ = false;
};

}  // namespace forger
