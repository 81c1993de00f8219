#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "kernels/common/errors.h"
#include "models/config.h"

namespace forger {
namespace {

/// CLI11 would say that a subcommand is missing, whatever was written in its place.
void check_subcommand(const CLI::App& app, int argc, char** argv) {
  if (argc < 2) return;
  const std::string_view first = argv[1];
  if (first == "-h" || first == "--help" || first == "--version") return;
  if (first.starts_with('-')) fail<ConfigError>("'{}' before the subcommand is not understood; see forger --help", first);
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  if (std::find(names.begin(), names.end(), first) != names.end()) return;
  fail<ConfigError>("there is no subcommand '{}'; did you mean '{}'? (forger --help shows all)", first,
                    nearest_name(std::string(first), names));
}

/// Names the first argument that the subcommand does not know, with the nearest flag.
void check_arguments(const CLI::App& command) {
  const auto extras = command.remaining();
  if (extras.empty()) return;
  const std::string flag = extras.front().substr(0, extras.front().find('='));
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  if (flag.starts_with("--")) {
    fail<ConfigError>("there is no flag '{}'; did you mean '{}'? (forger {} --help shows all)", flag, nearest_name(flag, names),
                      command.get_name());
  }
  fail<ConfigError>("'{}' is not understood; see forger {} --help", flag, command.get_name());
}

}  // namespace

CommandOption& CommandOption::required() {
  option_->required();
  return *this;
}

CommandOption& CommandOption::choices(const std::vector<std::string>& values) {
  option_->check(CLI::IsMember(values));
  return *this;
}

CommandOption& CommandOption::range(int64_t low, int64_t high) {
  option_->check(CLI::Range(low, high));
  return *this;
}

CommandOption& CommandOption::non_negative() {
  option_->check(CLI::NonNegativeNumber);
  return *this;
}

CommandOption& CommandOption::check(std::function<std::string(const std::string&)> check) {
  option_->check(std::move(check));
  return *this;
}

CommandOption& CommandOption::comma_separated() {
  option_->delimiter(',');
  return *this;
}

CommandOption& CommandOption::show_default() {
  option_->capture_default_str();
  return *this;
}

CommandOption& CommandOption::group(const std::string& heading) {
  option_->group(heading);
  return *this;
}

bool CommandOption::given() const {
  return option_->count() > 0;
}

CommandOption Command::option(const std::string& name, std::string& value, const std::string& help) {
  return CommandOption(app_->add_option(name, value, help));
}

CommandOption Command::option(const std::string& name, int& value, const std::string& help) {
  return CommandOption(app_->add_option(name, value, help));
}

CommandOption Command::option(const std::string& name, int64_t& value, const std::string& help) {
  return CommandOption(app_->add_option(name, value, help));
}

CommandOption Command::option(const std::string& name, std::vector<int64_t>& values, const std::string& help) {
  return CommandOption(app_->add_option(name, values, help));
}

CommandOption Command::flag(const std::string& name, bool& value, const std::string& help) {
  return CommandOption(app_->add_flag(name, value, help));
}

void Command::run(Action action) {
  app_->callback([chosen = chosen_, action = std::move(action)] { *chosen = action; });
}

CommandLine::CommandLine(const std::string& description, const std::string& version)
    : app_(std::make_unique<CLI::App>(description)) {
  app_->set_version_flag("--version", version);
  app_->require_subcommand(1);
}

CommandLine::~CommandLine() = default;

Command CommandLine::add(const std::string& name, const std::string& help) {
  CLI::App* const command = app_->add_subcommand(name, help);
  command->allow_extras();  // check_arguments names them
  return {command, &chosen_};
}

std::vector<CommandDescription> CommandLine::describe() const {
  std::vector<CommandDescription> commands;
  for (const CLI::App* sub : app_->get_subcommands({})) {
    CommandDescription& command = commands.emplace_back(CommandDescription{sub->get_name(), sub->get_description(), {}});
    for (const CLI::Option* option : sub->get_options()) {
      const bool positional = option->get_lnames().empty();
      const bool takes_value = option->get_items_expected_max() > 0;
      command.options.push_back({positional ? option->get_single_name() : "--" + option->get_lnames().front(),
                                 option->get_description(), takes_value ? option->get_type_name() : ""});
    }
  }
  return commands;
}

Action CommandLine::parse(int argc, char** argv) {
  try {
    check_subcommand(*app_, argc, argv);
    app_->parse(argc, argv);
    check_arguments(*app_->get_subcommands().front());
    return chosen_;
  } catch (const CLI::Success& e) {  // --help, --version
    return [code = app_->exit(e)] { return code; };
  } catch (const CLI::ParseError& e) {
    fail<ConfigError>("{}; see forger --help", e.what());
  }
}

}  // namespace forger
