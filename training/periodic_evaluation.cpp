#include "training/periodic_evaluation.h"

#include <cmath>

#include "datasets/sample_file.h"
#include "evaluation/classes.h"
#include "evaluation/digits.h"
#include "evaluation/histogram_kl.h"
#include "evaluation/line_distances.h"
#include "evaluation/mixture_modes.h"
#include "models/classifier.h"
#include "training/classifier_weights.h"

namespace forger {
namespace {

constexpr int64_t kImages = 2000, kPoints = 10000;  // that are made each time
constexpr double kLeastAccuracy = 0.9;              // of the classifier, to be believed
constexpr uint64_t kRealSeed = 0x6576616C'0001;     // of real points, far from those that runs are trained with

std::vector<double> doubles(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

/// [n, pixels, channels] -> bytes [n, channels, pixels]: grey images one after the other.
std::vector<uint8_t> grey_bytes(const std::vector<float>& samples, int64_t pixels, int64_t channels) {
  std::vector<uint8_t> bytes(samples.size());
  const int64_t n = static_cast<int64_t>(samples.size()) / (pixels * channels);
  for (int64_t i = 0; i < n * channels; ++i) {
    const int64_t from = i / channels * pixels * channels + i % channels;
    for (int64_t p = 0; p < pixels; ++p)
      bytes[static_cast<size_t>(i * pixels + p)] = pixel_byte(samples[static_cast<size_t>(from + p * channels)]);
  }
  return bytes;
}

}  // namespace

/// Real images and the classifier that looks at them.
struct PeriodicEvaluation::Images {
  Images(const Config& config, const Backend& backend, int64_t size) : variables(*backend.device) {
    const Checkpoint weights = embedded_classifier();
    const Shape shape{weights.config.integer("image-size"), weights.config.integer("image-size"), 1};
    if (config.integer("image-size") != shape[0] || config.integer("channels") != config.integer("stack")) {
      fail<ConfigError>("--eval-every: evaluates grey images of {} x {} and stacks of them; leave it out", shape[0], shape[1]);
    }
    extractor = std::make_unique<Extractor>(shape, backend, variables);
    weights.restore(variables);
    const ImageDataset test = load_config_images(config, Split::test);
    train = load_config_images(config, Split::train);
    const auto [learnt, held_out] = divide_training_set(train.pixels, size);
    Classified real = (*extractor)(test.pixels);
    const double right = test.labels.empty() ? 0 : accuracy(real, test.labels);
    if (right < kLeastAccuracy) {
      fail<ConfigError>(
          "--eval-every: the classifier in this binary is right about {:.1f} % of the test images of {}; leave it "
          "out, and use forger eval --classifier",
          100 * right, config.text("data"));
    }
    if (config.integer("stack") > 1) return;
    reference = std::make_unique<DigitReference>(std::move(real), learnt, held_out);
    const auto bytes = static_cast<size_t>(std::min(kImages, held_out.count()) * size);
    const ImageBytes real_samples{held_out.pixels.first(bytes), size};  // as many as will be made
    floor_coverage = (*reference)((*extractor)(real_samples.pixels), real_samples).prdc.coverage;
  }

  VariableStore variables;
  std::unique_ptr<Extractor> extractor;
  ImageDataset train;                         // the reference points into it
  std::unique_ptr<DigitReference> reference;  // null: stacks
  double floor_coverage = 1;                  // of real images
};

PeriodicEvaluation::PeriodicEvaluation(const Recipe& recipe, const Config& config, const RealData& data, const Backend& backend,
                                       VariableStore& variables)
    : config_(config),
      sample_(data.sample_shape()),
      z_(latent_noise(config, recipe.kind == SampleKind::images ? kImages : kPoints, 0, "eval/z")),
      sampler_(recipe, config, sample_, backend, variables) {
  if (recipe.kind == SampleKind::images) images_ = std::make_unique<Images>(config, backend, sample_[0] * sample_[1]);
}

PeriodicEvaluation::~PeriodicEvaluation() = default;

PeriodicEvaluation::Result PeriodicEvaluation::operator()() {
  const std::vector<float> samples = sampler_(z_);
  if (!images_) return points(samples);
  return images_->reference ? digits(samples) : stacks(samples);
}

PeriodicEvaluation::Result PeriodicEvaluation::digits(const std::vector<float>& samples) {
  const int64_t size = num_elements(sample_);
  const std::vector<uint8_t> bytes = grey_bytes(samples, size, 1);
  const DigitMetrics m = (*images_->reference)((*images_->extractor)(bytes), {bytes, size});
  return {{{"eval/fdz", m.fdz},
           {"eval/kid", m.kid},
           {"eval/precision", m.prdc.precision},
           {"eval/recall", m.prdc.recall},
           {"eval/density", m.prdc.density},
           {"eval/coverage", m.prdc.coverage},
           {"eval/covered", m.prdc.coverage / images_->floor_coverage},
           {"eval/score_ratio", m.score_ratio},
           {"eval/class_tv", m.class_tv},
           {"eval/copies", std::max(m.exact_copies, m.near_copies)}},
          m.class_shares,
          images_->reference->class_shares()};
}

PeriodicEvaluation::Result PeriodicEvaluation::stacks(const std::vector<float>& samples) {
  const int64_t pixels = sample_[0] * sample_[1];
  const auto labels = (*images_->extractor)(grey_bytes(samples, pixels, sample_[2])).classes();
  const StackedModes found = stacked_modes(labels, sample_[2]);
  // So many draws of as many equal modes do not find them all: n (1 - (1 - 1/n)^draws).
  const double modes = std::pow(10.0, static_cast<double>(sample_[2]));
  const double reachable = modes * -std::expm1(static_cast<double>(kImages) * std::log1p(-1 / modes));
  return {{{"eval/modes", static_cast<double>(found.modes)},
           {"eval/covered", static_cast<double>(found.modes) / reachable},
           {"eval/kl", found.kl}}};
}

PeriodicEvaluation::Result PeriodicEvaluation::points(const std::vector<float>& samples) const {
  const Mixture mixture = mixture_of(config_.text("distribution"));
  if (mixture.noise == Mixture::Noise::uniform) {
    const PatternMetrics m = pattern_metrics(mixture, samples);
    return {{{"eval/in_box", m.in_box}, {"eval/mean_error", m.mean_error}}};
  }
  if (mixture.dims == 1) {
    const std::vector<double> real = doubles(sample(mixture, kPoints, kRealSeed)), fake = doubles(samples);
    return {{{"eval/kl", histogram_kl(real, fake)}, {"eval/w1", wasserstein_1(real, fake) / static_cast<double>(mixture.scale)}}};
  }
  const MixtureMetrics m = mixture_metrics(mixture, samples);
  return {{{"eval/modes", static_cast<double>(m.modes)},
           {"eval/covered", static_cast<double>(m.modes) / static_cast<double>(mixture.modes())},
           {"eval/high_quality", m.high_quality},
           {"eval/kl", m.reverse_kl},
           {"eval/sigma_ratio", m.sigma_ratio}}};
}

EvaluationRecord PeriodicEvaluation::record(int64_t step, const Result& result) {
  EvaluationRecord r{.step = step, .class_shares = result.class_shares};
  for (const auto& [name, value] : result.values) {
    if (name == "eval/covered") r.covered = value;
    if (name == "eval/fdz") r.fdz = value;
    if (name == "eval/copies") r.copies = value;
  }
  return r;
}

}  // namespace forger
