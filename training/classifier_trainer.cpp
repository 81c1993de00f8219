#include "training/classifier_trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "datasets/files.h"
#include "evaluation/extractor.h"
#include "models/classifier.h"
#include "training/interrupt.h"
#include "training/summary.h"

namespace forger {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kStair = 100;  // steps with one learning rate, and the most that are queued on a GPU at once

std::string learning_rate_name(const Config& config) {
  return "C/" + config.text("optimizer") + "/learning_rate";
}

class ClassifierTrainer {
 public:
  ClassifierTrainer(TrainingRun& run, const RunDirectory& directory)
      : run_(run),
        config_(run.config()),
        directory_(directory),
        steps_(config_.integer("steps")),
        first_step_(run.step()),
        console_(directory.file("log.txt")),
        metrics_(directory.file("metrics.jsonl"), first_step_),
        extractor_(run.data().sample_shape(), run.backend(), run.variables()) {}

  bool train() {
    const InterruptGuard interrupts;
    begin();
    bool interrupted = false;
    int64_t step = first_step_;
    while (step < steps_ && !interrupted) {
      set_learning_rate(step);
      const int64_t count = steps_at_once(step);
      run_.session().run(count);
      step += count;
      since_line_ += count;
      const double loss = run_.session().scalar("loss");
      if (!std::isfinite(loss)) {
        fail<DivergedError>("step {}: the loss is {:.4g}; try again with a lower --c-lr", step - 1, loss);
      }
      const bool last = step == steps_;
      if (step % config_.integer("log-every") == 0 || last) log(step, loss);
      const double seconds =
          std::chrono::duration<double>(Clock::now() - start_).count() / static_cast<double>(step - first_step_);
      console_.progress(step, steps_, static_cast<double>(config_.integer("batch")) / seconds,
                        seconds * static_cast<double>(steps_ - step));
      interrupted = InterruptGuard::requested();
      if (step % config_.integer("checkpoint-every") == 0 || last || interrupted) save(step);
    }
    if (step < steps_) {
      console_.line(fmt::format("interrupted after step {}: saved {}; continue with: forger train --resume {}", step,
                                directory_.checkpoint_file(step), directory_.path()));
      return false;
    }
    finish();
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
    start_ = line_start_ = Clock::now();
  }

  /// One learning rate lasts from a multiple of kStair to the next, so that a resumed run takes the same ones.
  void set_learning_rate(int64_t step) {
    const int64_t stair = step / kStair * kStair;
    const double left = 1.0 - static_cast<double>(stair) / static_cast<double>(steps_);
    const auto rate = static_cast<float>(config_.real("c-lr") * left);
    run_.variables().write(learning_rate_name(config_), std::as_bytes(std::span(&rate, 1)));
  }

  int64_t steps_at_once(int64_t step) const {
    if (!run_.backend().device->is_asynchronous()) return 1;
    int64_t count = std::min(steps_ - step, kStair - step % kStair);
    for (const char* event : {"log-every", "checkpoint-every"}) {
      const int64_t every = config_.integer(event);
      count = std::min(count, every - step % every);
    }
    return count;
  }

  /// Of the batch that was just trained on.
  double batch_accuracy() const {
    const std::vector<double> logits = run_.session().output("logits"), labels = run_.session().output("labels");
    int64_t right = 0;
    for (size_t i = 0; i < labels.size(); ++i) {
      const auto row = logits.begin() + static_cast<int64_t>(i) * kNumClasses;
      right += std::max_element(row, row + kNumClasses) - row == static_cast<int64_t>(labels[i]);
    }
    return static_cast<double>(right) / static_cast<double>(labels.size());
  }

  void log(int64_t step, double loss) {
    const double seconds = std::chrono::duration<double>(Clock::now() - line_start_).count();
    const double rate = static_cast<double>(since_line_ * config_.integer("batch")) / seconds;
    const double left = static_cast<double>((steps_ - step) * config_.integer("batch")) / rate;
    const double right = batch_accuracy();
    console_.line(fmt::format("{:5} [loss: {:.4f}, acc.: {:.2f}%]  {:.0f} images/s, {} left", step, loss, 100 * right, rate,
                              format_duration(left)));
    metrics_.append(step, {{"loss", loss}, {"accuracy", right}, {"images_per_second", rate}});
    since_line_ = 0;
    line_start_ = Clock::now();
  }

  double report(int64_t step, const char* name, const char* key, const ImageDataset& images) {
    const double right = accuracy(extractor_(images.pixels), images.labels);
    console_.line(fmt::format("{:5} accuracy on {} {}: {:.2f}%", step, images.count, name, 100 * right));
    metrics_.append(step, {{key, right}});
    return right;
  }

  void save(int64_t step) {
    if (config_.integer("holdout") > 0) report(step, "held-out images", "held_out_accuracy", held_out_images(config_));
    save_checkpoint(directory_.checkpoint_file(step), run_.variables(), config_, run_.data_crc());
    directory_.prune_checkpoints(config_.integer("keep"), step);
    line_start_ = Clock::now();
  }

  void finish() {
    report(steps_, "test images", "test_accuracy", load_config_images(config_, Split::test));
    const std::string file = directory_.file("classifier.safetensors");
    save_weights(file, run_.variables(), config_, run_.data_crc());
    console_.line(fmt::format("done: {} steps in {}; the weights alone are in {}", steps_, directory_.path(), file));
  }

  TrainingRun& run_;
  const Config& config_;
  const RunDirectory& directory_;
  int64_t steps_, first_step_;
  Console console_;
  MetricsFile metrics_;
  Extractor extractor_;
  int64_t since_line_ = 0;
  Clock::time_point start_{}, line_start_{};
};

}  // namespace

bool train_classifier(TrainingRun& run, const RunDirectory& directory) {
  return ClassifierTrainer(run, directory).train();
}

}  // namespace forger
