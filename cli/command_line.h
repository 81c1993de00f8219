// The command line: subcommands and their options, over CLI11. Its header takes longer to compile than any other that
// Forger includes, so only command_line.cpp includes it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace forger {

/// What main() calls once the command line is parsed; returns the exit code.
using Action = std::function<int()>;

/// One option of a subcommand. A handle: copies mean the same option, which lives as long as its CommandLine.
class CommandOption {
 public:
  explicit CommandOption(CLI::Option* option) : option_(option) {}
  CommandOption& required();
  CommandOption& choices(const std::vector<std::string>& values);
  CommandOption& range(int64_t low, int64_t high);
  CommandOption& non_negative();
  /// `check` gets the text and returns what is wrong with it, or nothing.
  CommandOption& check(std::function<std::string(const std::string&)> check);
  CommandOption& comma_separated();
  /// Shows the variable's present value in the help text.
  CommandOption& show_default();
  CommandOption& group(const std::string& heading);
  bool given() const;

 private:
  CLI::Option* option_;
};

/// A subcommand. A handle, like CommandOption.
class Command {
 public:
  Command(CLI::App* app, Action* chosen) : app_(app), chosen_(chosen) {}
  /// A name without dashes is a positional argument. `value` must outlive the parse.
  CommandOption option(const std::string& name, std::string& value, const std::string& help);
  CommandOption option(const std::string& name, int& value, const std::string& help);
  CommandOption option(const std::string& name, int64_t& value, const std::string& help);
  CommandOption option(const std::string& name, std::vector<int64_t>& values, const std::string& help);
  CommandOption flag(const std::string& name, bool& value, const std::string& help);
  /// What to do when the subcommand was given.
  void run(Action action);

 private:
  CLI::App* app_;
  Action* chosen_;  // of the CommandLine
};

/// What help texts say of an option or a positional argument.
struct OptionDescription {
  std::string name;  // "--batch", or "recipe" of a positional argument
  std::string help;
  std::string type;  // "INT", "TEXT:{table,json}"; empty: a flag without a value
  bool is_positional() const { return !name.starts_with("--"); }
};
struct CommandDescription {
  std::string name, help;
  std::vector<OptionDescription> options;  // positional arguments, too
};

class CommandLine {
 public:
  /// `version` is what --version prints.
  CommandLine(const std::string& description, const std::string& version);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  Command add(const std::string& name, const std::string& help);
  /// The action of the subcommand that was given. --help and --version print and give an action that does nothing.
  /// Throws ConfigError that names the argument which is not understood, and the nearest that is.
  Action parse(int argc, char** argv);
  /// All subcommands, in the order in which they were added.
  std::vector<CommandDescription> describe() const;

 private:
  std::unique_ptr<CLI::App> app_;
  Action chosen_;
};

}  // namespace forger
