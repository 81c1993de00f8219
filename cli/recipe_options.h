// The flags of a recipe's options, which depend on the recipe: read after the subcommand's own flags.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "models/config.h"

namespace forger {

/// Flags as they were given: name and text.
using GivenOptions = std::vector<std::pair<std::string, std::string>>;

/// Gives a subcommand a flag for every option that any recipe has. Whether the recipe that is asked for has it, and
/// what values it takes, is checked when they are set.
class RecipeFlags {
 public:
  explicit RecipeFlags(Command& command);

  /// What was given.
  GivenOptions given() const;

 private:
  struct Flag {
    CommandOption option;
    std::shared_ptr<std::string> text;
  };
  std::map<std::string, Flag> flags_;
};

/// The recipe's defaults, then the config file if one is named, then the flags.
Config make_config(const std::string& recipe, const std::string& config_file, const GivenOptions& given);

/// The recipe that a config file is for.
std::string recipe_in_file(const std::string& config_file);

/// Help text: one line per option with its default.
std::string options_help(const Config& config);

}  // namespace forger
