#include <fmt/ranges.h>

#include <filesystem>

#include "cli/commands.h"
#include "cli/recipe_options.h"
#include "training/trainer.h"

namespace forger {
namespace {

constexpr int kInterrupted = 130;

struct TrainArguments {
  std::string recipe, resume, config_file, out;
};

int train_new(const TrainArguments& arguments, const GivenOptions& given) {
  TrainingRun run(make_config(arguments.recipe, arguments.config_file, given), nullptr);
  const Config& c = run.config();
  const auto directory = RunDirectory::create(arguments.out, fmt::format("{}-cpu-seed{}", c.recipe(), c.integer("seed")));
  return train(run, directory) ? 0 : kInterrupted;
}

/// Flags on resume must agree with the saved config, but for those that do not change what is computed.
Config resumed_config(const Checkpoint& checkpoint, const GivenOptions& given) {
  Config config = checkpoint.config, wanted = checkpoint.config;
  std::vector<std::string> contradictions;
  for (const auto& [name, text] : given) {
    wanted.set(name, text);
    const auto same = [&](const Option& o) { return o.name == name; };
    const Option& option = *std::find_if(config.options().begin(), config.options().end(), same);
    if (option.may_change_on_resume) {
      config.set(name, text);
    } else if (wanted.to_string(name) != config.to_string(name)) {
      contradictions.push_back(fmt::format("--{}: expected {}, given {}", name, config.to_string(name), text));
    }
  }
  if (!contradictions.empty()) {
    fail<ConfigError>("{}: these flags contradict the saved run: {}; start a new run to change them", checkpoint.path,
                      fmt::join(contradictions, "; "));
  }
  return config;
}

int train_resumed(const TrainArguments& arguments, const GivenOptions& given) {
  if (!arguments.config_file.empty() || !arguments.out.empty()) {
    fail<ConfigError>("--resume goes on in its own directory with its own config; leave out --config and --out");
  }
  const Checkpoint checkpoint = find_checkpoint(arguments.resume, [](const std::string& note) { fmt::print("{}\n", note); });
  if (!arguments.recipe.empty() && arguments.recipe != checkpoint.config.recipe()) {
    fail<ConfigError>("{}: is a checkpoint of {}, not of {}", checkpoint.path, checkpoint.config.recipe(), arguments.recipe);
  }
  TrainingRun run(resumed_config(checkpoint, given), &checkpoint);
  const auto directory = RunDirectory::open(std::filesystem::path(checkpoint.path).parent_path());
  fmt::print("resumed from {}\n", checkpoint.path);
  return train(run, directory) ? 0 : kInterrupted;
}

}  // namespace

void add_train(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("train", "train a recipe, or go on with a run");
  auto arguments = std::make_shared<TrainArguments>();
  command->add_option("recipe", arguments->recipe, "name of a recipe (forger list)");
  command->add_option("--resume", arguments->resume, "run directory or checkpoint to go on with");
  command->add_option("--config", arguments->config_file, "JSON file of options, such as a run's config.json");
  command->add_option("--out", arguments->out, "run directory (default: the next number under runs/)");
  const auto flags = std::make_shared<RecipeFlags>(*command);
  command->callback([&action, arguments, flags] {
    action = [arguments, flags] {
      const GivenOptions given = flags->given();
      if (!arguments->resume.empty()) return train_resumed(*arguments, given);
      if (arguments->recipe.empty() && !arguments->config_file.empty()) arguments->recipe = recipe_in_file(arguments->config_file);
      if (arguments->recipe.empty()) fail<ConfigError>("train needs a recipe (forger list shows them) or --resume RUN");
      return train_new(*arguments, given);
    };
  });
}

}  // namespace forger
