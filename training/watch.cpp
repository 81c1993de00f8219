#include "training/watch.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

#include "datasets/files.h"
#include "evaluation/diversity.h"
#include "training/gradient_norms.h"
#include "training/report.h"

namespace forger {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kClassShares = "eval/class_shares";
constexpr auto kReportEvery = std::chrono::seconds(10);

double value_of(const nlohmann::json& json, const char* name) {
  return json.contains(name) && json[name].is_number() ? json[name].get<double>() : kNone;
}

bool is_evaluation(const std::string& name) {
  return name.starts_with("eval/") && !name.ends_with("class_shares");
}

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Samples whose channels are images of their own, [n, pixels, channels], as those images: [n * channels, pixels].
std::vector<float> unstacked(const std::vector<float>& samples, int64_t channels) {
  if (channels == 1) return samples;
  const size_t c = static_cast<size_t>(channels);
  std::vector<float> images;
  images.reserve(samples.size());
  for (size_t channel = 0; channel < c; ++channel) {
    for (size_t i = channel; i < samples.size(); i += c) images.push_back(samples[i]);
  }
  return images;
}

/// A generator whose input is always the same makes one sample, whatever it has learnt.
bool makes_one_sample(const Config& config) {
  return config.text("z-distribution") == "constant";
}

}  // namespace

Watch::Watch(const Recipe& recipe, const Config& config, const RealData& data, const Backend& backend, VariableStore& variables,
             const std::vector<float>& reals, const RunDirectory& directory, Console& console, MetricsFile& metrics,
             int64_t first_step)
    : recipe_(recipe),
      config_(config),
      data_(data),
      variables_(variables),
      reals_(reals),
      directory_(directory),
      console_(console),
      metrics_(metrics),
      monitor_(loss_balance(config)),
      events_(directory.file(kEventFileName), first_step),
      critic_(recipe, config, data.sample_shape(), backend, variables, reals),
      gap_(recipe, config, data, backend, variables) {
  restore(first_step);
}

/// A resumed run says what one that was never stopped would say.
void Watch::restore(int64_t first_step) {
  std::ifstream in(directory_.file("metrics.jsonl"));
  PeriodicEvaluation::Result evaluation;  // is written as two lines: the classes, then the numbers
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) continue;
    const auto step = json["step"].get<int64_t>();
    if (step >= first_step) continue;
    if (json.contains("verdict")) {
      told_.clear();
      for (const auto& name : json.value("all", nlohmann::json::array())) {
        const auto trouble = trouble_of(name.is_string() ? name.get<std::string>() : "");
        if (trouble) told_.push_back({*trouble, ""});
      }
    } else if (json.contains(kClassShares)) {
      evaluation.class_shares = json[kClassShares].get<std::vector<double>>();
    } else if (std::any_of(json.items().begin(), json.items().end(), [](const auto& i) { return is_evaluation(i.key()); })) {
      for (const auto& [name, value] : json.items()) evaluation.values.emplace_back(name, value_of(json, name.c_str()));
      monitor_.add(PeriodicEvaluation::record(step, evaluation));
      evaluation = {};
    } else if (json.contains("d_loss")) {
      if (step % config_.integer("log-every") == 0)
        monitor_.add(LossRecord{step, value_of(json, "d_loss"), value_of(json, "d_accuracy"), value_of(json, "g_loss")});
    } else if (json.contains("g_gradient") || json.contains("diversity")) {
      if (step % config_.integer("sample-every") == 0) {
        monitor_.add(SampleRecord{step, value_of(json, "diversity"), value_of(json, "coverage"), value_of(json, "g_gradient"),
                                  value_of(json, "d_gradient")});
      }
    }
  }
}

void Watch::log(int64_t step, const std::vector<std::pair<std::string, double>>& values) {
  LossRecord record{step, kNone, kNone, kNone};
  std::vector<std::pair<std::string, double>> scalars;
  for (const auto& [name, value] : values) {
    if (name == "d_loss") record.d_loss = value;
    if (name == "d_accuracy") record.d_accuracy = value;
    if (name == "g_loss") record.g_loss = value;
    if (name != "images_per_second") scalars.emplace_back(name, value);  // equal runs, equal bytes
  }
  events_.add_scalars(step, scalars);
  // The line of a run's last step is an extra: the monitor goes by what a longer run would see, too.
  if (step % config_.integer("log-every") != 0) return;
  monitor_.add(record);
  tell(step);
}

void Watch::picture(int64_t step, const std::string& png, const std::vector<float>& fakes) {
  look_at_samples(step, fakes);
  events_.add_image(step, "samples", text_of(png));
  if (step == 0) events_.add_image(step, "reals", text_of(directory_.file("reals.png")));
  if (const std::string json = critic_.json(fakes); !json.empty())
    write_file(directory_.file(kDistributionFile), {bytes_of(std::span<const char>(json))});
  last_fakes_ = fakes;
  const auto now = std::chrono::steady_clock::now();
  if (!reported_ || now - last_report_ > kReportEvery) report(step);
}

void Watch::look_at_samples(int64_t step, const std::vector<float>& fakes) {
  SampleRecord record{step, kNone, kNone, gradient_norm(variables_, config_, "G"), gradient_norm(variables_, config_, "D")};
  const int64_t dim = num_elements(data_.sample_shape());
  if (!makes_one_sample(config_)) {
    const double real = mean_pairwise_distance(reals_, dim);
    if (real > 0) record.diversity = mean_pairwise_distance(fakes, dim) / real;
    if (recipe_.kind == SampleKind::points) record.coverage = density_coverage(reals_, fakes, dim);
  }
  const auto gap = gap_().value_or(HoldoutGap::Means{kNone, kNone});
  std::vector<std::pair<std::string, double>> values;
  for (const auto& [name, value] : {std::pair<const char*, double>{"diversity", record.diversity},
                                    {"coverage", record.coverage},
                                    {"g_gradient", record.g_gradient},
                                    {"d_gradient", record.d_gradient},
                                    {"d_train", gap.train},
                                    {"d_holdout", gap.held_out}}) {
    if (std::isfinite(value)) values.emplace_back(name, value);
  }
  if (values.empty()) return;
  metrics_.append(step, values);
  events_.add_scalars(step, values);
  if (step % config_.integer("sample-every") != 0) return;  // a run's last picture, as with lines
  monitor_.add(record);
  tell(step);
}

void Watch::evaluated(int64_t step, const PeriodicEvaluation::Result& result) {
  if (!result.class_shares.empty()) {
    metrics_.append(step, "eval/real_class_shares", result.real_shares);
    metrics_.append(step, kClassShares, result.class_shares);
  }
  metrics_.append(step, result.values);
  events_.add_scalars(step, result.values);
  std::string line = fmt::format("{:5} evaluation:", step);
  for (const auto& [name, value] : result.values) line += fmt::format(" {} {:.4g}", name.substr(5), value);
  console_.line(line);
  monitor_.add(PeriodicEvaluation::record(step, result));
  tell(step);
}

/// A line and a record for every trouble that is new, one line when all are gone.
void Watch::tell(int64_t step) {
  const std::vector<RunVerdict> now = monitor_.verdicts();
  const auto knows = [](const std::vector<RunVerdict>& list, Trouble t) {
    return std::any_of(list.begin(), list.end(), [t](const RunVerdict& v) { return v.trouble == t; });
  };
  const bool same = now.size() == told_.size() &&
                    std::all_of(now.begin(), now.end(), [&](const RunVerdict& v) { return knows(told_, v.trouble); });
  for (const RunVerdict& v : now) {
    if (!knows(told_, v.trouble)) console_.line(fmt::format("{:5} warning: {}: {}", step, name_of(v.trouble), v.message));
  }
  const bool recovered = now.empty() && !told_.empty();
  told_ = now;
  if (recovered) {
    console_.line(fmt::format("{:5} recovered: the monitor sees nothing wrong any more", step));
    keep(step, "healthy", "");
  } else if (!same) {
    keep(step, name_of(now.front().trouble), now.front().message);
  }
}

void Watch::keep(int64_t step, const std::string& verdict, const std::string& message) {
  metrics_.append_verdict(step, verdict, message, [&] {
    std::vector<std::string> all;
    for (const RunVerdict& v : told_) all.push_back(name_of(v.trouble));
    return all;
  }());
}

std::optional<RunVerdict> Watch::reason_to_stop() const {
  if (config_.text("on-collapse") != "stop") return {};
  for (const RunVerdict& v : told_) {
    if (v.trouble == Trouble::diverged || v.trouble == Trouble::collapse) return v;
  }
  return {};
}

void Watch::diverged(int64_t step, const std::string& message) {
  monitor_.set_not_finite(message);
  tell(step);
  console_.line(fmt::format("verdict: diverged: {}", message));
  report(step);
}

void Watch::finish(int64_t step, bool stopped) {
  if (!stopped && recipe_.kind == SampleKind::images && !last_fakes_.empty()) {
    const std::span table(reinterpret_cast<const uint8_t*>(data_.bytes.data()), data_.bytes.size());
    const auto images = unstacked(last_fakes_, data_.stack);
    monitor_.set_copied_share(copied_share(images, table, num_elements(data_.sample_shape()) / data_.stack));
    tell(step);
  }
  const auto verdicts = monitor_.verdicts();
  if (verdicts.empty()) console_.line("verdict: healthy");
  for (const RunVerdict& v : verdicts) console_.line(fmt::format("verdict: {}: {}", name_of(v.trouble), v.message));
  report(step);
}

void Watch::report(int64_t step) {
  write_report(directory_.path(), recipe_, config_, step);
  last_report_ = std::chrono::steady_clock::now();
  reported_ = true;
}

}  // namespace forger
