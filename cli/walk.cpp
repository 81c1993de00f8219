// forger walk: a path through latent space, as frames and as an animation.
#include <filesystem>

#include "cli/commands.h"
#include "training/apng.h"
#include "training/checkpoint_sampler.h"
#include "training/latent_walk.h"
#include "training/pictures.h"

namespace forger {
namespace {

struct WalkArguments {
  std::string run, grid = "2x4", out = "walk", device = "auto";
  int64_t keys = 4, steps = 15, seed = 0;
  int milliseconds = 66;
};

int walk(const WalkArguments& a) {
  const Grid grid = parse_grid(a.grid, "--grid");
  const Checkpoint checkpoint = find_checkpoint(a.run, [](const std::string& note) { fmt::print("{}\n", note); });
  const Config& config = checkpoint.config;
  const Recipe& recipe = gan_of(checkpoint);
  if (recipe.kind != SampleKind::images) {
    fail<ConfigError>("{}: makes no images, {} cannot be walked through; forger sample draws its samples", checkpoint.path,
                      recipe.name);
  }
  const Shape shape = sample_shape_of(checkpoint);
  check_grid("--grid", shape[0], shape[1], grid.rows, grid.columns);
  const Backend backend = open_backend({.device = a.device});
  VariableStore variables(*backend.device);
  Sampler sampler(recipe, config, shape, backend, variables);
  checkpoint.restore(variables);

  // Every place of the grid has its own keys; frame f of the animation holds row f of every place's walk.
  const int64_t places = grid.rows * grid.columns, frames = a.keys * a.steps, z_dim = config.integer("z-dim");
  const bool spherical = config.text("z-distribution") == "normal";
  std::vector<std::vector<float>> walks;
  for (int64_t p = 0; p < places; ++p) {
    const auto keys = latent_noise(config, a.keys, static_cast<uint64_t>(a.seed), fmt::format("walk/{}", p));
    walks.push_back(latent_walk(keys, z_dim, a.steps, spherical));
  }
  std::error_code error;
  std::filesystem::create_directories(a.out, error);
  if (error || !std::filesystem::is_directory(a.out))
    fail<DataError>("{}: cannot make this directory: {}; choose another --out", a.out,
                    error ? error.message() : "a file of this name is in the way");
  std::vector<RgbImage> images;
  for (int64_t f = 0; f < frames; ++f) {
    std::vector<float> z;
    for (const auto& w : walks) z.insert(z.end(), w.begin() + f * z_dim, w.begin() + (f + 1) * z_dim);
    images.push_back(draw_grid(a.out, sampler(z), places, shape[0], shape[1], shape[2], grid.rows, grid.columns));
    write_png(fmt::format("{}/frame-{:05}.png", a.out, f), images.back());
  }
  write_apng(a.out + "/walk.png", images, a.milliseconds);
  fmt::print("{}/walk.png: {} frames of {} (step {}, seed {}), {} interpolation between {} latents\n", a.out, frames,
             checkpoint.path, checkpoint.step, a.seed, spherical ? "spherical" : "linear", a.keys);
  return 0;
}

}  // namespace

void add_walk(CommandLine& line) {
  Command command = line.add("walk", "walk through latent space: frames and an animated PNG");
  auto a = std::make_shared<WalkArguments>();
  command.option("run", a->run, "run directory or checkpoint").required();
  command.option("--keys", a->keys, "latents that the path goes through, and back to the first").range(1, 1000).show_default();
  command.option("--steps", a->steps, "frames from one to the next").range(1, 1000).show_default();
  command.option("--grid", a->grid, "rows x columns of walks at once").show_default();
  command.option("--seed", a->seed, "of the latents").non_negative().show_default();
  command.option("--milliseconds", a->milliseconds, "per frame").range(1, 60000).show_default();
  command.option("--device", a->device, "auto, cpu, cuda, cuda:N or emulated").show_default();
  command.option("--out", a->out, "folder to write frames and walk.png to").show_default();
  command.run([a] { return walk(*a); });
}

}  // namespace forger
