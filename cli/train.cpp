#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "cli/commands.h"
#include "cli/recipe_options.h"
#include "training/interrupt.h"
#include "training/trainer.h"

namespace forger {
namespace {

constexpr int kInterrupted = 130;

struct TrainArguments {
  std::string recipe, resume, config_file, out;
};

/// Ctrl-C while data are loaded and the program is compiled.
bool interrupted_early(const std::string& what_is) {
  if (!InterruptGuard::requested()) return false;
  fmt::print("interrupted before the first step: {}\n", what_is);
  return true;
}

int train_new(const TrainArguments& arguments, const GivenOptions& given) {
  TrainingRun run(make_config(arguments.recipe, arguments.config_file, given), nullptr);
  if (interrupted_early("nothing was written")) return kInterrupted;
  const Config& c = run.config();
  const auto directory =
      RunDirectory::create(arguments.out, fmt::format("{}-{}-seed{}", c.recipe(), device_kind(run.backend()), c.integer("seed")));
  return train(run, directory) ? 0 : kInterrupted;
}

/// Flags on resume must agree with the saved config, but for those that do not change what is computed.
Config resumed_config(const Config& saved, const std::string& where, const GivenOptions& given) {
  Config config = saved, wanted = saved;
  std::vector<std::string> contradictions;
  for (const auto& [name, text] : given) {
    wanted.set(name, text);
    const auto same = [&name = name](const Option& o) { return o.name == name; };
    const Option& option = *std::find_if(config.options().begin(), config.options().end(), same);
    if (option.may_change_on_resume) {
      config.set(name, text);
    } else if (wanted.to_string(name) != config.to_string(name)) {
      contradictions.push_back(fmt::format("--{}: expected {}, given {}", name, config.to_string(name), text));
    }
  }
  if (!contradictions.empty()) {
    fail<ConfigError>("{}: these flags contradict the saved run: {}; start a new run to change them", where,
                      fmt::join(contradictions, "; "));
  }
  return config;
}

void check_recipe(const std::string& wanted, const Config& saved, const std::string& where) {
  if (wanted.empty() || wanted == saved.recipe()) return;
  find_recipe(wanted);  // an unknown name is the first thing to tell
  fail<ConfigError>("{}: is a run of {}, not of {}; leave the recipe out or resume another run", where, saved.recipe(), wanted);
}

/// A run that was killed before its first checkpoint begins again, with the config that it left.
int train_from_start(const TrainArguments& arguments, const GivenOptions& given) {
  const std::string file = arguments.resume + "/config.json";
  const Config saved = make_config(recipe_in_file(file), file, {});
  check_recipe(arguments.recipe, saved, file);
  TrainingRun run(resumed_config(saved, file, given), nullptr);
  if (interrupted_early(arguments.resume + " is as it was")) return kInterrupted;
  const auto directory = RunDirectory::open(arguments.resume);
  fmt::print("{}: has no checkpoint yet, begins again\n", arguments.resume);
  return train(run, directory) ? 0 : kInterrupted;
}

int train_resumed(const TrainArguments& arguments, const GivenOptions& given) {
  if (!arguments.config_file.empty() || !arguments.out.empty()) {
    fail<ConfigError>("--resume goes on in its own directory with its own config; leave out --config and --out");
  }
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::is_directory(arguments.resume, error) && list_checkpoints(arguments.resume).empty() &&
      fs::exists(arguments.resume + "/config.json", error)) {
    return train_from_start(arguments, given);
  }
  const Checkpoint checkpoint = find_checkpoint(arguments.resume, [](const std::string& note) { fmt::print("{}\n", note); });
  check_recipe(arguments.recipe, checkpoint.config, checkpoint.path);
  TrainingRun run(resumed_config(checkpoint.config, checkpoint.path, given), &checkpoint);
  if (interrupted_early(arguments.resume + " is as it was")) return kInterrupted;
  const auto directory = RunDirectory::open(fs::path(checkpoint.path).parent_path());
  fmt::print("resumed from {}\n", checkpoint.path);
  return train(run, directory) ? 0 : kInterrupted;
}

}  // namespace

void add_train(CommandLine& line) {
  Command command = line.add("train", "train a recipe, or go on with a run");
  auto arguments = std::make_shared<TrainArguments>();
  command.option("recipe", arguments->recipe, "name of a recipe (forger list)");
  command.option("--resume", arguments->resume, "run directory or checkpoint to go on with").check([](const std::string& run) {
    return run.empty() ? "is empty, name a run directory or a checkpoint" : "";
  });
  command.option("--config", arguments->config_file, "JSON file of options, such as a run's config.json");
  command.option("--out", arguments->out, "run directory (default: the next number under runs/)")
      .check([](const std::string& out) { return out.empty() ? "is empty, name a directory" : ""; });
  const auto flags = std::make_shared<RecipeFlags>(command);
  command.run([arguments, flags] {
    const InterruptGuard interrupts;
    const GivenOptions given = flags->given();
    if (!arguments->resume.empty()) return train_resumed(*arguments, given);
    if (arguments->recipe.empty() && !arguments->config_file.empty()) arguments->recipe = recipe_in_file(arguments->config_file);
    if (arguments->recipe.empty()) fail<ConfigError>("train needs a recipe (forger list shows them) or --resume RUN");
    return train_new(*arguments, given);
  });
}

}  // namespace forger
