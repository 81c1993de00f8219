// `forger eval` for images: digits, and three digits stacked as channels.
#include <numeric>

#include "cli/eval.h"
#include "datasets/image_dataset.h"
#include "evaluation/classes.h"
#include "evaluation/verdict.h"
#include "kernels/common/philox.h"
#include "models/recipe.h"
#include "training/classifier_weights.h"

namespace forger {
namespace {

constexpr double kLeastAccuracy = 0.9;          // of the classifier, to be believed
constexpr uint64_t kStackStream = 0x5354'4143;  // of the stacks that real digits are put into

std::string note_to_stderr(const std::string& text) {
  fmt::print(stderr, "{}\n", text);
  return text;
}

/// The classifier on a device, and how well it knows the reference.
class Judge {
 public:
  Judge(const Checkpoint& weights, const std::string& device)
      : weights_(weights),
        backend_(open_backend({.device = device})),
        variables_(*backend_.device),
        shape_({weights.config.integer("image-size"), weights.config.integer("image-size"), weights.config.integer("channels")}),
        extractor_(shape_, backend_, variables_) {
    weights.restore(variables_);
  }

  Classified operator()(std::span<const uint8_t> pixels, const std::string& what, EvalProgress& progress) {
    const auto total = static_cast<int64_t>(pixels.size()) / num_elements(shape_);
    return extractor_(pixels, [&](int64_t done) { progress.stage("classifying " + what, done, total); });
  }

  ImageDataset load(const std::string& folder, Split split) const {
    return load_images(folder, split, static_cast<int>(shape_[0]), static_cast<int>(shape_[1]), static_cast<int>(shape_[2]));
  }

  void check_size(const ImageSamples& images, const std::string& name) const {
    if (images.height == shape_[0] && images.width == shape_[1]) return;
    fail<DataError>("{}: images of {} x {}, the classifier looks at {} x {}; resize them, or give --classifier one for that size",
                    name, images.height, images.width, shape_[0], shape_[1]);
  }

  const std::string& path() const { return weights_.path; }

 private:
  const Checkpoint& weights_;
  Backend backend_;
  VariableStore variables_;
  Shape shape_;
  Extractor extractor_;
};

Checkpoint load_judge(const EvalArguments& a) {
  return find_classifier(a.classifier, note_to_stderr);
}

ImageDataset load_test(const Judge& judge, const std::string& folder) {
  ImageDataset test = judge.load(folder, Split::test);
  if (test.labels.empty()) {
    fail<DataError>("{}: has no labels, without which the classifier cannot be checked; give --data IDX files", folder);
  }
  return test;
}

EvalRow row(std::string key, std::string label, double value, double floor, std::string note) {
  return {std::move(key), std::move(label), value, floor, std::move(note)};
}

void add_rows(EvalReport& r, const DigitMetrics& m, const DigitMetrics& f) {
  r.rows = {
      row("fdz", "FDz, Frechet distance", m.fdz, f.fdz, fmt::format("at most 20 floors ({:.3f}), 4 are excellent", 20 * f.fdz)),
      row("kid", "KID, kernel distance", m.kid, f.kid, "near the floor"),
      row("precision", "precision (k = 5)", m.prdc.precision, f.prdc.precision, "near the floor"),
      row("recall", "recall", m.prdc.recall, f.prdc.recall, "near the floor"),
      row("density", "density", m.prdc.density, f.prdc.density, ".95 to 1.05 are excellent"),
      row("coverage", "coverage", m.prdc.coverage, f.prdc.coverage, ".88 or more, .95 are excellent"),
      row("score_ratio", "classifier score / that of real", m.score_ratio, f.score_ratio, ".95 or more, .99 are excellent"),
      row("class_tv", "class histogram, total variation", m.class_tv, f.class_tv, "at most .06, .02 are excellent"),
      row("outliers", "share like no real image", m.outliers, f.outliers, "at most .05"),
      row("pixel_outliers", "share unlike any training image", m.pixel_outliers, f.pixel_outliers, "at most .05"),
      row("spread_ratio", "distance of two samples / of real", m.spread_ratio, f.spread_ratio, "near 1; below .5: collapse"),
      row("spacing_ratio", "distance of neighbours / of real", m.spacing_ratio, f.spacing_ratio, "near 1; below .5: repeats"),
      row("duplicates", "share that repeat a sample", m.duplicates, f.duplicates, "at most .05"),
      row("exact_copies", "share that are training images", m.exact_copies, f.exact_copies, "at most .10"),
      row("near_copies", "share nearly training images", m.near_copies, f.near_copies, "at most .10"),
      row("train_distance", "distance to training / of held-out", m.train_distance, f.train_distance, "near 1 or above"),
  };
}

}  // namespace

EvalReport eval_digits(const ImageSamples& images, const std::string& name, const EvalArguments& a, EvalProgress& progress) {
  const Checkpoint weights = load_judge(a);
  Judge judge(weights, a.device);
  judge.check_size(images, name);
  const std::string folder = a.data.empty() ? "datasets/mnist" : a.data;
  const ImageDataset test = load_test(judge, folder), train = judge.load(folder, Split::train);
  const auto [train_bytes, held_out] = divide_training_set(train.pixels, train.height * train.width * train.channels);
  Classified real = judge(test.pixels, "the reference", progress);
  EvalReport r;
  const double right = accuracy(real, test.labels);
  if (right < kLeastAccuracy) {
    r.notes.push_back(
        fmt::format("the classifier ({}) is right on {:.1f} % of the reference only: train one on these images "
                    "(forger train {} --data {}) and give it with --classifier",
                    judge.path(), 100 * right, kClassifierRecipe, folder));
  }
  const auto stage = [&](const std::string& of) { return [&progress, of](const char* what) { progress.stage(of + what); }; };
  progress.stage("reference");
  const DigitReference reference(std::move(real), train_bytes, held_out);
  const Classified fake = judge(images.pixels, "the samples", progress), floor = judge(held_out.pixels, "the floor", progress);
  const DigitMetrics f = reference(floor, held_out, stage("floor: "));
  const DigitMetrics m = reference(fake, {images.pixels, train_bytes.size}, stage("samples: "));
  r.samples = name;
  r.count = images.count;
  r.reference = fmt::format("{}: {} test images; the classifier is right on {:.2f} %", folder, test.count, 100 * right);
  r.floor = fmt::format("{} real images that were held out, against the same reference", held_out.count());
  if (images.count != held_out.count()) {
    r.notes.push_back(fmt::format("{} samples, the floor has {}: FDz falls with the number, use as many to compare", images.count,
                                  held_out.count()));
  }
  add_rows(r, m, f);
  r.class_shares = m.class_shares;
  r.real_class_shares = reference.class_shares();
  const SampleVerdict verdict = judge_samples(m, f);
  for (const Failure failure : verdict.failures) r.failures.emplace_back(name_of(failure));
  r.good = verdict.good;
  r.verdict = verdict.text;
  return r;
}

EvalReport eval_stacked(const ImageSamples& images, const std::string& name, const EvalArguments& a, EvalProgress& progress) {
  const Checkpoint weights = load_judge(a);
  Judge judge(weights, a.device);
  judge.check_size(images, name);
  const std::string folder = a.data.empty() ? "datasets/mnist" : a.data;
  const ImageDataset test = load_test(judge, folder);
  // One grey image after another: [n,H,W,3] -> [n,3,H,W].
  const int64_t size = images.height * images.width;
  std::vector<uint8_t> grey(images.pixels.size());
  for (int64_t i = 0; i < images.count; ++i) {
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t p = 0; p < size; ++p) {
        grey[static_cast<size_t>((i * 3 + c) * size + p)] = images.pixels[static_cast<size_t>((i * size + p) * 3 + c)];
      }
    }
  }
  const StackedModes found = stacked_modes(judge(grey, "the samples", progress).classes());
  // The floor: as many stacks of real digits, drawn at random.
  const Classified real = judge(test.pixels, "the reference", progress);
  const std::vector<uint8_t> classes = real.classes();
  std::vector<uint8_t> stacks;
  for (int64_t i = 0; i < 3 * images.count; ++i) {
    const uint32_t word = philox_block(kEvalSeed, kStackStream, 0, static_cast<uint32_t>(i)).v[0];
    stacks.push_back(classes[philox_below(word, static_cast<uint32_t>(classes.size()))]);
  }
  const StackedModes floor = stacked_modes(stacks);
  EvalReport r;
  r.samples = name;
  r.count = images.count;
  r.reference = fmt::format("{}: 1,000 modes of three digits; the classifier is right on {:.2f} % of them alone", folder,
                            100 * accuracy(real, test.labels));
  r.floor = fmt::format("{} stacks of test images", images.count);
  r.rows = {row("modes", "modes of 1000", static_cast<double>(found.modes), static_cast<double>(floor.modes), "1000"),
            row("kl", "KL(generated || uniform), nats", found.kl, floor.kl, "at most .10, .030 is excellent")};
  if (images.count != 26000) r.notes.push_back("published figures are of 26000 samples");
  r.good = found.modes == 1000 && found.kl <= 0.10;
  if (found.modes < 1000) r.failures.emplace_back("dropped modes");
  r.verdict = r.good ? (found.kl <= 0.030 ? "excellent: all modes, evenly" : "works: all modes")
                     : fmt::format("not good enough yet: {} of 1000 modes, KL {:.3f}", found.modes, found.kl);
  return r;
}

EvalReport eval_classifier(const std::string& path, const EvalArguments& a, EvalProgress& progress) {
  const Checkpoint weights = find_classifier(path, note_to_stderr);
  Judge judge(weights, a.device);
  const std::string folder = a.data.empty() ? weights.config.text("data") : a.data;
  const ImageDataset test = load_test(judge, folder);
  const double right = accuracy(judge(test.pixels, "the test images", progress), test.labels);
  EvalReport r;
  r.samples = weights.path;
  r.count = test.count;
  r.reference = fmt::format("{}: {} test images", folder, test.count);
  r.floor = "none";
  r.rows = {{"accuracy", "share that is classified right", right, {}, ".992 or more for MNIST"}};
  r.good = right >= kLeastAccuracy;
  r.verdict = fmt::format("right on {:.2f} % of {} images", 100 * right, test.count);
  return r;
}

}  // namespace forger
