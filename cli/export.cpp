// forger export and forger import: weights to and from other programs.
#include <filesystem>

#include "cli/commands.h"
#include "cli/recipe_options.h"
#include "datasets/files.h"
#include "interop/onnx.h"
#include "interop/torch_weights.h"
#include "training/checkpoint_sampler.h"
#include "training/trainer.h"

namespace forger {
namespace {

struct ExportArguments {
  std::string run, format = "onnx", out;
};

int export_run(const ExportArguments& a) {
  const Checkpoint checkpoint = find_checkpoint(a.run, [](const std::string& note) { fmt::print("{}\n", note); });
  gan_of(checkpoint);
  const std::string out = a.out.empty() ? (a.format == "onnx" ? "generator.onnx" : "weights.safetensors") : a.out;
  if (a.format == "onnx") {
    const std::string model = onnx_generator(checkpoint, sample_shape_of(checkpoint));
    write_file(out, {bytes_of(std::span<const char>(model))});
  } else {
    export_torch_weights(out, checkpoint);
  }
  fmt::print("{}: {} of {} (step {})\n", out, a.format == "onnx" ? "generator" : "weights of both networks", checkpoint.path,
             checkpoint.step);
  return 0;
}

struct ImportArguments {
  std::string file, recipe, out;
};

/// The file's own config or the recipe's defaults, then the flags.
Config imported_config(const ImportArguments& a, const GivenOptions& given) {
  const std::string saved = config_of_weights(a.file);
  if (a.recipe.empty() && saved.empty()) {
    fail<ConfigError>("{}: does not say which recipe its weights are of; name it with --recipe (forger list shows them)", a.file);
  }
  const Recipe& recipe = find_recipe(a.recipe.empty() ? recipe_of_json(saved, a.file) : a.recipe);
  if (recipe.is_classifier()) fail<ConfigError>("--recipe: {} is no GAN; name one (forger list shows them)", recipe.name);
  if (!saved.empty() && recipe.name != recipe_of_json(saved, a.file)) {
    fail<ConfigError>("{}: holds weights of {}, not of {}; leave --recipe out", a.file, recipe_of_json(saved, a.file),
                      recipe.name);
  }
  Config config = recipe.defaults;
  if (!saved.empty()) config.merge_json(saved, a.file);
  for (const auto& [name, text] : given) config.set(name, text);
  return config;
}

int import_weights(const ImportArguments& a, const GivenOptions& given) {
  TrainingRun run(imported_config(a, given), nullptr);
  const auto read = import_torch_weights(a.file, run.config(), run.variables());
  const auto directory = RunDirectory::create(
      a.out, fmt::format("{}-{}-seed{}", run.config().recipe(), device_kind(run.backend()), run.config().integer("seed")));
  const std::string config = run.config().to_json() + "\n";
  write_file(directory.file("config.json"), {bytes_of(std::span<const char>(config))});
  save_checkpoint(directory.checkpoint_file(0), run.variables(), run.config(), run.data_crc());
  std::string networks;
  for (const std::string& name : read) networks += (networks.empty() ? "" : " and ") + name;
  fmt::print("{}: weights of {} from {}, optimizers and step counter new; forger train --resume {} trains on\n", directory.path(),
             networks, a.file, directory.path());
  return 0;
}

}  // namespace

void add_export(CommandLine& line) {
  Command command = line.add("export", "write a trained generator for other programs");
  auto a = std::make_shared<ExportArguments>();
  command.option("run", a->run, "run directory or checkpoint").required();
  command.option("--format", a->format, "onnx: the generator; safetensors: both networks' weights with PyTorch's names")
      .choices({"onnx", "safetensors"})
      .show_default();
  command.option("--out", a->out, "file to write (default: generator.onnx or weights.safetensors)");
  command.run([a] { return export_run(*a); });
}

void add_import(CommandLine& line) {
  Command command = line.add("import", "make a run of weights with PyTorch's names");
  auto a = std::make_shared<ImportArguments>();
  command.option("file", a->file, "safetensors file, as forger export --format safetensors writes it").required();
  command.option("--recipe", a->recipe, "name of a recipe (default: the one that the file names)");
  command.option("--out", a->out, "run directory (default: the next number under runs/)").check([](const std::string& out) {
    return out.empty() ? "is empty, name a directory" : "";
  });
  const auto flags = std::make_shared<RecipeFlags>(command);
  command.run([a, flags] { return import_weights(*a, flags->given()); });
}

}  // namespace forger
