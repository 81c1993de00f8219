#include "cli/eval.h"

#include <filesystem>

#include "cli/commands.h"
#include "datasets/image_dataset.h"
#include "datasets/shape_text.h"
#include "training/checkpoint_sampler.h"

namespace forger {
namespace {

// How many samples the published protocols take.
constexpr int64_t kImages = 10000, kStacks = 26000, kPoints = 10000, kLinePoints = 100000;
constexpr int kSide = 28;

int64_t protocol_count(const Shape& shape) {
  if (shape.size() == 3) return shape[2] == 3 ? kStacks : kImages;
  return shape[0] == 1 ? kLinePoints : kPoints;
}

EvalReport eval_images(const ImageSamples& images, const std::string& name, const EvalArguments& a, EvalProgress& progress) {
  return images.channels == 3 ? eval_stacked(images, name, a, progress) : eval_digits(images, name, a, progress);
}

EvalReport eval_run(EvalArguments a, EvalProgress& progress) {
  const Checkpoint checkpoint = find_checkpoint(a.run, [](const std::string& note) { fmt::print(stderr, "{}\n", note); });
  if (find_recipe(checkpoint.config.recipe()).is_classifier()) return eval_classifier(checkpoint.path, a, progress);
  CheckpointSampler sampler(checkpoint, a.device);
  const int64_t count = a.count > 0 ? a.count : protocol_count(sampler.shape());
  SampleArray array{sampler.shape(), {}, false};
  array.dims.insert(array.dims.begin(), count);
  array.values = sampler(count, kEvalSeed, kEvalStream, {}, [&](int64_t done) { progress.stage("generating", done, count); });
  const std::string name = fmt::format("{}, step {}", checkpoint.path, checkpoint.step);
  for (const float v : array.values) {
    if (!std::isfinite(v)) fail<DataError>("{}: its generator makes {}; name a checkpoint from before it diverged", name, v);
  }
  if (checkpoint.config.has("distribution")) {
    a.distribution = checkpoint.config.text("distribution");
    return eval_points(array, name, a);
  }
  if (a.data.empty()) a.data = checkpoint.config.text("data");
  ImageSamples images{count, sampler.shape()[0], sampler.shape()[1], sampler.shape()[2], {}};
  for (const float v : array.values) images.pixels.push_back(pixel_byte(v));
  return eval_images(images, name, a, progress);
}

/// The first --count samples of a file.
SampleArray first_of(SampleArray array, int64_t count, const std::string& name) {
  if (count == 0 || count == array.dims[0]) return array;
  if (count > array.dims[0]) fail<ConfigError>("--count: {} holds {} samples, {} are asked for", name, array.dims[0], count);
  array.values.resize(array.values.size() / static_cast<size_t>(array.dims[0]) * static_cast<size_t>(count));
  array.dims[0] = count;
  return array;
}

EvalReport eval_samples(const EvalArguments& a, EvalProgress& progress) {
  std::error_code error;
  if (std::filesystem::is_directory(a.samples, error)) {
    progress.stage("reading pictures");
    ImageDataset set = load_image_folder(a.samples, kSide, kSide, static_cast<int>(a.channels));
    SampleArray array{{set.count, set.height, set.width, set.channels}, {set.pixels.begin(), set.pixels.end()}, true};
    return eval_images(image_samples(first_of(std::move(array), a.count, a.samples), a.samples), a.samples, a, progress);
  }
  progress.stage("reading the samples");
  const SampleArray array = first_of(read_samples(a.samples), a.count, a.samples);
  if (!a.distribution.empty()) return eval_points(array, a.samples, a);
  if (array.dims.size() < 3) {
    fail<ConfigError>("{}: has shape {}, which are no images; give --distribution for points", a.samples, shape_text(array.dims));
  }
  return eval_images(image_samples(array, a.samples), a.samples, a, progress);
}

int eval(const EvalArguments& a) {
  if (a.run.empty() == a.samples.empty()) fail<ConfigError>("eval needs a run or checkpoint, or --samples FILE: one of both");
  EvalReport report;
  {
    EvalProgress progress;
    report = a.run.empty() ? eval_samples(a, progress) : eval_run(a, progress);
  }
  fmt::print("{}", a.format == "json" ? to_json(report) : to_table(report));
  return 0;
}

}  // namespace

void add_eval(CommandLine& line) {
  Command command = line.add("eval", "say whether a GAN works: quality, coverage, copies, and a verdict");
  auto a = std::make_shared<EvalArguments>();
  command.option("run", a->run, "run directory or checkpoint");
  command.option("--samples", a->samples, "samples of any program instead: .npy, IDX or a folder of pictures");
  command.option("--count", a->count, "samples (default: 10000 images or points, 26000 stacks, 100000 on a line)")
      .range(1, 10000000);
  command.option("--data", a->data, "folder of real images (default: the run's, or datasets/mnist)");
  command.option("--distribution", a->distribution, "what points of --samples imitate: ring8, grid25, ...");
  command.option("--channels", a->channels, "of a folder of pictures: 1 digits, 3 stacked digits")
      .choices({"1", "3"})
      .show_default();
  command.option("--classifier", a->classifier, "run or weights of a classifier (default: the one in this binary)");
  command.option("--format", a->format, "text or json").choices({"text", "json"}).show_default();
  command.option("--device", a->device, "auto, cpu, cuda, cuda:N or emulated").show_default();
  command.run([a] { return eval(*a); });
}

}  // namespace forger
