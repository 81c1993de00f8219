#include "training/trainer.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "datasets/files.h"
#include "models/losses.h"
#include "training/classifier_trainer.h"
#include "training/interrupt.h"
#include "training/pictures.h"
#include "training/snapshot.h"
#include "training/summary.h"
#include "training/watch.h"

namespace forger {
namespace {

using Clock = std::chrono::steady_clock;

uint32_t crc_of(const std::vector<std::byte>& bytes) {
  return static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

/// A step's five scalars.
struct StepResult {
  double d_loss, d_accuracy, g_loss, d_real, d_fake;
};

StepResult read_result(const Session& s) {
  return {s.scalar("d_loss"), s.scalar("d_accuracy"), s.scalar("g_loss"), s.scalar("d_real"), s.scalar("d_fake")};
}

bool all_finite(const VariableStore& variables, const std::string& name) {
  if (variables.at(name).type.dtype != DType::f32) return true;
  const auto bytes = variables.read(name);
  const std::span values(reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float));
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

/// The data, after a check that the pictures of it can be drawn.
RealData load_checked(const Config& config) {
  RealData data = load_real_data(config);
  if (config.has("grid")) {
    const Grid grid = parse_grid(config.text("grid"), "--grid");
    check_grid("--grid", data.sample_shape()[0], data.sample_shape()[1], grid.rows, grid.columns);
  }
  return data;
}

class Trainer {
 public:
  Trainer(TrainingRun& run, const RunDirectory& directory)
      : run_(run),
        config_(run.config()),
        directory_(directory),
        steps_(config_.integer("steps")),
        first_step_(run.step()),
        console_(directory.file("log.txt")),
        metrics_(directory.file("metrics.jsonl"), first_step_),
        pictures_(run.recipe(), config_, run.data(), run.backend(), run.variables()),
        watch_(run.recipe(), config_, run.data(), run.backend(), run.variables(), pictures_.reals(), directory, console_,
               metrics_, first_step_) {}

  bool train() {
    const InterruptGuard interrupts;
    begin();
    bool interrupted = false;
    int64_t step = first_step_;
    while (step < steps_ && !interrupted) {
      if (step == first_step_ || step % config_.integer("log-every") == 0) snapshot_.take(run_.variables());
      const int64_t count = steps_at_once(step);
      run_.session().run(count);
      step += count;
      steps_since_line_ += count;
      const bool last = step == steps_;
      const StepResult result = read_result(run_.session());
      if (!std::isfinite(result.d_loss) || !std::isfinite(result.g_loss))
        explain_divergence(step - 1, fmt::format("D's loss is {:.4g}, G's {:.4g}", result.d_loss, result.g_loss));
      if ((step - 1) % config_.integer("log-every") == 0 || last) log(step - 1, result);
      show_progress(step);
      if (step % config_.integer("sample-every") == 0 || last) draw(step);
      if (run_.evaluation() && step % config_.integer("eval-every") == 0) watch_.evaluated(step, (*run_.evaluation())());
      interrupted = InterruptGuard::requested();
      const auto reason = watch_.reason_to_stop();
      if (last) draw_whole_run();  // before the checkpoint that says the run is complete
      if (step % config_.integer("checkpoint-every") == 0 || last || interrupted || reason) save(step);
      if (reason) stop(step, *reason);
    }
    watch_.finish(step, interrupted);
    if (step < steps_) {
      console_.line(fmt::format("interrupted after step {}: saved {}; continue with: forger train --resume {}", step,
                                directory_.checkpoint_file(step), directory_.path()));
      return false;
    }
    console_.line(fmt::format("done: {} steps in {}", steps_, directory_.path()));
    return true;
  }

 private:
  void begin() {
    const std::string config = config_.to_json() + "\n";
    write_file(directory_.file("config.json"), {bytes_of(std::span<const char>(config))});
    console_.line(summary_table(run_.recipe(), config_, run_.data().sample_shape()));
    console_.line(fmt::format("data        {}", run_.data().description));
    console_.line(fmt::format("run         {}, steps {} to {}, batch {}, seed {}, {} threads", directory_.path(), first_step_,
                              steps_, config_.integer("batch"), config_.integer("seed"), config_.integer("threads")));
    console_.line(fmt::format("device      {}", run_.backend().description));
    pictures_.write_reals(directory_.file("reals.png"));
    // A resumed run draws again what it dropped from metrics.jsonl with all that followed its checkpoint.
    if (first_step_ % config_.integer("sample-every") == 0) draw(first_step_);
    if (run_.evaluation() && first_step_ > 0 && first_step_ % config_.integer("eval-every") == 0)
      watch_.evaluated(first_step_, (*run_.evaluation())());
    start_ = line_start_ = Clock::now();
  }

  /// How many steps to queue before anything must be looked at: one on the CPU; on a GPU up to the next line, snapshot,
  /// picture or checkpoint.
  int64_t steps_at_once(int64_t step) const {
    if (!run_.backend().device->is_asynchronous()) return 1;
    constexpr int64_t kMost = 100;  // so that the bar moves and Ctrl-C is heard
    const int64_t log_every = config_.integer("log-every");
    int64_t count = std::min(kMost, steps_ - step);
    count = std::min(count, step % log_every == 0 ? 1 : log_every - step % log_every);
    for (const char* event : {"sample-every", "eval-every", "checkpoint-every"}) {
      const int64_t every = config_.integer(event);
      if (every > 0) count = std::min(count, every - step % every);
    }
    return count;
  }

  /// The bar shows the mean since this process began, which does not jump when a line is printed.
  void show_progress(int64_t done) {
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    const double per_step = seconds / static_cast<double>(done - first_step_);
    console_.progress(done, steps_, static_cast<double>(config_.integer("batch")) / per_step,
                      per_step * static_cast<double>(steps_ - done));
  }

  /// Images per second since the last line.
  double throughput() const {
    const double seconds = std::chrono::duration<double>(Clock::now() - line_start_).count();
    return seconds > 0 ? static_cast<double>(steps_since_line_ * config_.integer("batch")) / seconds : 0;
  }

  /// The seed's line, with throughput and remaining time after it.
  void log(int64_t step, const StepResult& r) {
    const double rate = throughput();
    const double left = rate > 0 ? static_cast<double>((steps_ - step - 1) * config_.integer("batch")) / rate : 0;
    std::string line =
        fmt::format("{:5} [D loss: {:.3f}, acc.: {:.2f}%] [G loss: {:.3f}]", step, r.d_loss, 100 * r.d_accuracy, r.g_loss);
    const auto kl = pictures_.kl();
    if (kl) line += fmt::format(" KL {:.4f}", *kl);
    console_.line(line + fmt::format("  {:.0f} images/s, {} left", rate, format_duration(left)));
    std::vector<std::pair<std::string, double>> values{{"d_loss", r.d_loss}, {"d_accuracy", r.d_accuracy},
                                                       {"g_loss", r.g_loss}, {"d_real", r.d_real},
                                                       {"d_fake", r.d_fake}, {"images_per_second", rate}};
    if (kl) values.emplace_back("kl", *kl);
    // The snapshot of such a step was taken before it.
    if (step % config_.integer("log-every") == 0) {
      for (const auto& [name, network] : {std::pair{"g_update", "G"}, {"d_update", "D"}}) {
        const double ratio = snapshot_.update_ratio(run_.variables(), config_, network);
        if (std::isfinite(ratio)) values.emplace_back(name, ratio);
      }
    }
    metrics_.append(step, values);
    watch_.log(step, values);
    steps_since_line_ = 0;
    line_start_ = Clock::now();
  }

  void draw(int64_t step) {
    const std::string png = directory_.file(step_file_name("fakes", step, ".png"));
    const auto fakes = pictures_.write_fakes(png);
    if (run_.recipe().kind == SampleKind::pattern) metrics_.append(step, "output", {fakes.begin(), fakes.end()});
    watch_.picture(step, png, fakes);
  }

  /// --on-collapse stop, after the checkpoint was written.
  [[noreturn]] void stop(int64_t step, const RunVerdict& reason) {
    watch_.finish(step, true);
    fail<DivergedError>("step {}: {}: {}; saved {} (--on-collapse continue goes on)", step, name_of(reason.trouble),
                        reason.message, directory_.checkpoint_file(step));
  }

  /// A step can end with finite losses and weights that are not: such a checkpoint would be good for nothing.
  void save(int64_t step) {
    for (const auto& [name, entry] : run_.variables().entries()) {
      if (!all_finite(run_.variables(), name)) explain_divergence(step - 1, fmt::format("'{}' is not finite", name));
    }
    save_checkpoint(directory_.checkpoint_file(step), run_.variables(), config_, run_.data_crc());
    directory_.prune_checkpoints(config_.integer("keep"), step);
  }

  /// Pictures that need the whole run: the loss curves, and for the pattern every output that was kept.
  void draw_whole_run() {
    const std::string metrics = directory_.file("metrics.jsonl");
    std::vector<Series> series{{"D loss", {}, {}}, {"G loss", {}, {}}};
    const char* names[] = {"d_loss", "g_loss"};
    for (size_t i = 0; i < 2; ++i) {
      for (const auto& [x, y] : MetricsFile::read_numbers(metrics, names[i])) {
        series[i].steps.push_back(static_cast<float>(x));
        series[i].values.push_back(static_cast<float>(y));
      }
    }
    std::optional<ReferenceLine> line;
    if (const auto e = equilibrium(config_)) line = {e->value, e->label};
    write_curves(directory_.file("losses.png"), "losses", series, line);
    if (run_.recipe().kind == SampleKind::pattern) {
      std::vector<float> rows;
      std::vector<std::string> labels;
      for (const auto& [step, row] : MetricsFile::read_lists(metrics, "output")) {
        rows.insert(rows.end(), row.begin(), row.end());
        labels.push_back(std::to_string(step));
      }
      write_matrix(directory_.file("outputs.png"), rows, static_cast<int64_t>(labels.size()), run_.data().sample_shape()[0],
                   labels);
    }
  }

  /// Runs again from the last snapshot, looking at every result, and throws with what it finds.
  [[noreturn]] void explain_divergence(int64_t step, const std::string& what) {
    const char* remedy = "try again with lower --g-lr and --d-lr";
    snapshot_.restore(run_.variables());
    for (int64_t s = run_.step(); s <= step; ++s) {
      if (const auto node = run_.session().run_checked()) {
        diverged(step,
                 fmt::format("{}; the first result that is not finite came from {} in step {}; {}", what, *node, s, remedy));
      }
    }
    diverged(step, fmt::format("{}; {}", what, remedy));
  }

  [[noreturn]] void diverged(int64_t step, const std::string& message) {
    watch_.diverged(step, message);
    fail<DivergedError>("step {}: {}", step, message);
  }

  TrainingRun& run_;
  const Config& config_;
  const RunDirectory& directory_;
  int64_t steps_, first_step_;
  Console console_;
  MetricsFile metrics_;
  PictureBook pictures_;
  Watch watch_;
  Snapshot snapshot_;
  int64_t steps_since_line_ = 0;
  Clock::time_point start_{}, line_start_{};
};

}  // namespace

TrainingRun::TrainingRun(Config config, const Checkpoint* resume)
    : config_(use_threads(std::move(config))),
      recipe_(find_recipe(config_.recipe())),
      step_{recipe_, config_, open_backend(backend_options(config_)), load_checked(config_)},  // in this order: data take long
      data_crc_(crc_of(step_.data().bytes)) {
  if (!recipe_.is_classifier() && config_.integer("eval-every") > 0)
    evaluation_ = std::make_unique<PeriodicEvaluation>(recipe_, config_, data(), backend(), variables());
  if (!resume) return;
  if (resume->data_crc != data_crc_) {
    fail<DataError>("{}: was trained on other data than {}; give the same data with --data", resume->path, data().description);
  }
  resume->restore(variables());
  if (resume->step >= config_.integer("steps")) {
    fail<ConfigError>("{}: has {} steps already; ask for more with --steps", resume->path, resume->step);
  }
}

bool train(TrainingRun& run, const RunDirectory& directory) {
  if (run.recipe().is_classifier()) return train_classifier(run, directory);
  return Trainer(run, directory).train();
}

}  // namespace forger
