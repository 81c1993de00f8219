// Completion scripts for shells, made from what the command line itself knows, so that they cannot go stale.
#pragma once

#include <string>
#include <vector>

#include "cli/command_line.h"

namespace forger {

/// An option or a positional argument, as a shell completes it.
struct CompletionOption {
  enum class Value { none, number, text, choice };  // text completes file names
  std::string name;                                 // "--batch", or "recipe" of a positional argument
  std::string help;
  Value value = Value::none;
  std::vector<std::string> choices = {};
};

struct CompletionCommand {
  std::string name, help;
  std::vector<CompletionOption> options, positionals;
};

/// All subcommands with their options. Recipes' names and choices come from the recipes.
std::vector<CompletionCommand> completion_commands(const CommandLine& line);

/// The script for "bash", "zsh" or "fish".
std::string completion_script(const std::string& shell, const std::vector<CompletionCommand>& commands);

}  // namespace forger
