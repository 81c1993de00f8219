#include "cli/recipe_options.h"

#include <fmt/ranges.h>

#include "datasets/files.h"
#include "kernels/common/errors.h"
#include "models/recipe.h"

namespace forger {
namespace {

constexpr int64_t kMaxConfigBytes = 1 << 20;

std::string read_text(const std::string& path) {
  const auto bytes = read_file(path, kMaxConfigBytes);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

RecipeFlags::RecipeFlags(Command& command) {
  for (const Recipe& recipe : all_recipes()) {
    for (const Option& o : recipe.defaults.options()) {
      if (flags_.contains(o.name)) continue;
      const auto text = std::make_shared<std::string>();
      flags_.emplace(o.name, Flag{command.option("--" + o.name, *text, o.help).group("Recipe options"), text});
    }
  }
}

GivenOptions RecipeFlags::given() const {
  GivenOptions options;
  for (const auto& [name, flag] : flags_) {
    if (flag.option.given()) options.emplace_back(name, *flag.text);
  }
  return options;
}

Config make_config(const std::string& recipe, const std::string& config_file, const GivenOptions& given) {
  Config config = find_recipe(recipe).defaults;
  if (!config_file.empty()) {
    config.merge_json(read_text(config_file), config_file);
  }
  for (const auto& [name, text] : given) config.set(name, text);
  return config;
}

std::string recipe_in_file(const std::string& config_file) {
  const std::string recipe = recipe_of_json(read_text(config_file), config_file);
  try {
    return find_recipe(recipe).name;
  } catch (const ConfigError& e) {
    fail<ConfigError>("{}: {}", config_file, e.what());
  }
}

std::string options_help(const Config& config) {
  std::string text =
      fmt::format("Options of {} (flags of `forger train {}`, keys of its config.json):\n", config.recipe(), config.recipe());
  for (const Option& o : config.options()) {
    std::string help = o.help;
    if (!o.choices.empty()) help += fmt::format(" ({})", fmt::join(o.choices, "|"));
    text += fmt::format("  --{:<18} {:<18} {}\n", o.name, config.to_string(o.name), help);
  }
  return text;
}

}  // namespace forger
