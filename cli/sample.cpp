#include <charconv>
#include <filesystem>

#include "cli/commands.h"
#include "datasets/idx.h"
#include "datasets/sample_file.h"
#include "models/conditioning.h"
#include "models/gan_networks.h"
#include "training/checkpoint_sampler.h"
#include "training/npy.h"
#include "training/pictures.h"

namespace forger {
namespace {

struct SampleArguments {
  std::string run, grid, latents, out = "samples.png", device = "auto";
  int64_t count = 32;
  int64_t seed = 0;
  int64_t label = -1;  // -1: all classes in turn
  bool seed_given = false;
};

/// The class of each sample: --class, or one class per column of the picture.
std::vector<int64_t> labels_of(const SampleArguments& a, const Config& config, const Grid& grid) {
  const int64_t classes = classes_of(config);
  if (classes == 0 && a.label >= 0) {
    fail<ConfigError>("--class: the run was trained without classes (--conditional none); leave it out");
  }
  if (a.label >= classes && classes > 0) fail<ConfigError>("--class: {} is none of 0 to {}", a.label, classes - 1);
  if (classes == 0) return {};
  if (a.label >= 0) return std::vector<int64_t>(static_cast<size_t>(a.count), a.label);
  return classes_by_column(a.count, grid.columns > 0 ? grid.columns : a.count, classes);
}

/// Where the picture's images go. Checked before they are made, which can take long.
Grid grid_of(const SampleArguments& a, const Shape& shape, int64_t classes) {
  const int64_t columns = std::min<int64_t>(a.count, a.label < 0 && classes > 1 && classes <= 40 ? classes : 8);
  Grid grid{(a.count + columns - 1) / columns, columns};
  if (!a.grid.empty()) grid = parse_grid(a.grid, "--grid");
  if (grid.rows * grid.columns < a.count) {
    fail<ConfigError>("--grid: {} has {} places, --count asks for {}; ask for a larger grid or fewer samples", a.grid,
                      grid.rows * grid.columns, a.count);
  }
  if (shape.size() == 3) check_grid(a.grid.empty() ? "--count" : "--grid", shape[0], shape[1], grid.rows, grid.columns);
  return grid;
}

void write_picture(const Recipe& recipe, const SampleArguments& a, const Shape& shape, const Grid& grid,
                   const std::vector<float>& samples) {
  if (recipe.kind == SampleKind::images) {
    write_grid(a.out, samples, a.count, shape[0], shape[1], shape[2], grid.rows, grid.columns);
  } else if (recipe.kind == SampleKind::pattern) {
    write_matrix(a.out, samples, a.count, shape[0]);
  } else if (shape[0] == 1) {
    write_histogram(a.out, {}, samples, 42);
  } else {
    write_scatter(a.out, {}, samples);
  }
}

/// CLI11 would take the largest number for one that is larger still.
std::string check_seed(const std::string& text) {
  int64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  const bool good = error == std::errc() && end == text.data() + text.size() && seed >= 0;
  return good ? "" : fmt::format("'{}' is not a whole number from 0 to 2^63 - 1", text);
}

int sample(const SampleArguments& a) {
  const std::string extension = std::filesystem::path(a.out).extension();
  if (extension != ".png" && extension != ".npy" && extension != ".idx") {
    fail<ConfigError>("--out: {} ends in none of .png, .npy, .idx", a.out);
  }
  if (!a.grid.empty() && extension != ".png") fail<ConfigError>("--grid: is for pictures, {} is none; leave it out", a.out);
  const Checkpoint checkpoint = find_checkpoint(a.run, [](const std::string& note) { fmt::print("{}\n", note); });
  const Recipe& recipe = find_recipe(checkpoint.config.recipe());
  if (recipe.is_classifier()) fail<ConfigError>("{}: is of {}, which makes no samples; name a GAN's run", a.run, recipe.name);
  const Shape shape = sample_shape_of(checkpoint);
  if (!a.grid.empty() && recipe.kind != SampleKind::images) {
    fail<ConfigError>("--grid: is for images, {} makes none; leave it out", recipe.name);
  }
  const bool picture = extension == ".png" && recipe.kind == SampleKind::images;
  const Grid grid = picture ? grid_of(a, shape, classes_of(checkpoint.config)) : Grid{0, 0};
  const uint64_t seed = static_cast<uint64_t>(a.seed_given ? a.seed : checkpoint.config.integer("seed"));
  if (!a.latents.empty()) {
    write_npy(a.latents, Shape{a.count, checkpoint.config.integer("z-dim")},
              latent_noise(checkpoint.config, a.count, seed, "sample/z"));
  }
  CheckpointSampler sampler(checkpoint, a.device);
  const auto samples = sampler(a.count, seed, "sample/z", labels_of(a, checkpoint.config, grid));

  Shape dims = shape;
  dims.insert(dims.begin(), a.count);
  if (extension == ".png") write_picture(recipe, a, shape, grid, samples);
  if (extension == ".npy") write_npy(a.out, dims, samples);
  if (extension == ".idx") {
    // Images as bytes, as in the sets they imitate; points as floats.
    if (recipe.kind == SampleKind::images) {
      std::vector<uint8_t> bytes;
      for (const float v : samples) bytes.push_back(pixel_byte(v));
      if (dims.back() == 1) dims.pop_back();
      write_idx(a.out, dims, bytes);
    } else {
      write_idx(a.out, dims, samples);
    }
  }
  fmt::print("{}: {} samples of {} (step {}, seed {})\n", a.out, a.count, checkpoint.path, checkpoint.step, seed);
  return 0;
}

}  // namespace

void add_sample(CommandLine& line) {
  Command command = line.add("sample", "sample from a trained generator");
  auto a = std::make_shared<SampleArguments>();
  command.option("run", a->run, "run directory or checkpoint").required();
  command.option("--count", a->count, "number of samples").range(1, 1000000).show_default();
  command.option("--grid", a->grid, "rows x columns of the picture, such as 4x8");
  const CommandOption seed = command.option("--seed", a->seed, "of the latent noise (default: the run's)").check(check_seed);
  command.option("--class", a->label, "class of all samples (default: one class per column)").range(0, 1023);
  command.option("--device", a->device, "auto, cpu, cuda, cuda:N or emulated").show_default();
  command.option("--out", a->out, "file to write: .png, .npy or .idx").show_default();
  command.option("--latents", a->latents, "also write the latent noise [count, z-dim] to this .npy file");
  command.run([a, seed] {
    a->seed_given = seed.given();
    return sample(*a);
  });
}

}  // namespace forger
