// forger: trains GANs. Exit codes: 0 done, 1 failed, 2 wrong input, 3 diverged, 130 interrupted.
#include <cerrno>
#include <cstring>

#include "cli/commands.h"
#include "kernels/common/errors.h"
#include "models/config.h"

namespace {

using namespace forger;

constexpr int kFailed = 1, kWrongInput = 2, kDiverged = 3;

int report(const std::exception& e, int code) {
  std::string line = e.what();
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';  // a file's name may have one
  }
  fmt::print(stderr, "forger: {}\n", line);
  return code;
}

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

/// A full disk behind a redirected stdout is an error too.
void check_output() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    fail<DataError>("cannot write to the standard output: {}", std::strerror(errno));
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"forger trains GANs from one native binary"};
  app.set_version_flag("--version", "forger " FORGER_VERSION);
  app.require_subcommand(1);
  forger::Action action;
  forger::add_list(app, action);
  forger::add_summary(app, action);
  forger::add_doctor(app, action);
  forger::add_explain(app, action);
  forger::add_train(app, action);
  forger::add_sample(app, action);
  forger::add_eval(app, action);
  forger::add_verify(app, action);
  forger::add_bench(app, action);
  for (CLI::App* command : app.get_subcommands({})) command->allow_extras();  // check_arguments looks at them
  try {
    check_subcommand(app, argc, argv);
    app.parse(argc, argv);
    check_arguments(*app.get_subcommands().front());
    const int code = action();
    check_output();
    return code;
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    fmt::print(stderr, "forger: {}; see forger --help\n", e.what());
    return kWrongInput;
  } catch (const forger::DivergedError& e) {
    return report(e, kDiverged);
  } catch (const forger::ConfigError& e) {
    return report(e, kWrongInput);
  } catch (const forger::DataError& e) {
    return report(e, kWrongInput);
  } catch (const forger::ShapeError& e) {
    return report(e, kWrongInput);
  } catch (const forger::DeviceError& e) {
    return report(e, kWrongInput);
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "forger: not enough memory; try a smaller --batch\n");
    return kWrongInput;
  } catch (const std::exception& e) {
    return report(e, kFailed);
  }
}
