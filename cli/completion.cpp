// forger completion: what the shells' completion scripts are made of, and the subcommand.
#include "cli/completion.h"

#include <algorithm>
#include <map>

#include "cli/commands.h"
#include "models/recipe.h"

namespace forger {
namespace {

using Value = CompletionOption::Value;
using Choices = std::vector<std::string>;

/// The values in "TEXT:{table,json}", as the command line describes an option's type.
Choices choices_in(const std::string& type) {
  const size_t begin = type.find('{'), end = type.find('}', begin);
  Choices choices;
  if (begin == std::string::npos || end == std::string::npos) return choices;
  std::string inner = type.substr(begin + 1, end - begin - 1);
  for (size_t comma; (comma = inner.find(',')) != std::string::npos; inner.erase(0, comma + 1)) {
    choices.push_back(inner.substr(0, comma));
  }
  choices.push_back(inner);
  return choices;
}

/// What the recipes' options take, by name; choices are those of all recipes together.
std::map<std::string, CompletionOption> recipe_values() {
  std::map<std::string, CompletionOption> values;
  for (const Recipe& recipe : all_recipes()) {
    for (const Option& o : recipe.defaults.options()) {
      CompletionOption& known = values[o.name];
      const bool is_text = std::holds_alternative<std::string>(o.value);
      known.value = !is_text ? Value::number : o.choices.empty() ? Value::text : Value::choice;
      for (const std::string& choice : o.choices) {
        if (std::find(known.choices.begin(), known.choices.end(), choice) == known.choices.end()) known.choices.push_back(choice);
      }
    }
  }
  values["device"] = {"", "", Value::choice, {"auto", "cpu", "cuda", "emulated"}};
  CompletionOption& recipe = values["recipe"] = {"", "", Value::choice, {}};
  for (const Recipe& r : all_recipes()) recipe.choices.push_back(r.name);
  return values;
}

CompletionOption completed(const OptionDescription& option, const std::map<std::string, CompletionOption>& known) {
  CompletionOption completion{option.name, option.help, Value::none, {}};
  if (option.type.empty()) return completion;
  completion.choices = choices_in(option.type);
  if (!completion.choices.empty()) {
    completion.value = Value::choice;
  } else if (const auto it = known.find(option.name.substr(option.is_positional() ? 0 : 2)); it != known.end()) {
    completion.value = it->second.value;
    completion.choices = it->second.choices;
  } else {
    completion.value = option.type.starts_with("TEXT") ? Value::text : Value::number;
  }
  return completion;
}

}  // namespace

std::vector<CompletionCommand> completion_commands(const CommandLine& line) {
  const auto known = recipe_values();
  std::vector<CompletionCommand> commands;
  for (const CommandDescription& described : line.describe()) {
    CompletionCommand command{described.name, described.help, {}, {}};
    for (const OptionDescription& option : described.options) {
      (option.is_positional() ? command.positionals : command.options).push_back(completed(option, known));
    }
    commands.push_back(std::move(command));
  }
  return commands;
}

void add_completion(CommandLine& line) {
  Command command = line.add("completion", "print a shell's completion script: source it, or install it");
  auto shell = std::make_shared<std::string>();
  command.option("shell", *shell, "bash, zsh or fish").required().choices({"bash", "zsh", "fish"});
  command.run([&line, shell] {
    fmt::print("{}", completion_script(*shell, completion_commands(line)));
    return 0;
  });
}

}  // namespace forger
