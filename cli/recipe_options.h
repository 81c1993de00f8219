// The flags of a recipe's options, which depend on the recipe: read after the subcommand's own flags.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/config.h"

namespace forger {

/// Flags as they were given, in order: name and text.
using GivenOptions = std::vector<std::pair<std::string, std::string>>;

/// Collects `--name value` and `--name=value` from what a subcommand did not recognise. Throws ConfigError for
/// anything else.
GivenOptions parse_options(const std::vector<std::string>& arguments);

/// The recipe's defaults, then the config file if one is named, then the flags. A relative "data" folder that is not in
/// the working directory is looked for beside the sources that the binary was built from.
Config make_config(const std::string& recipe, const std::string& config_file, const GivenOptions& given);

/// The recipe that a config file is for.
std::string recipe_in_file(const std::string& config_file);

/// Help text: one line per option with its default.
std::string options_help(const Config& config);

}  // namespace forger
