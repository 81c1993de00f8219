// One function per subcommand; each adds itself to the command line and, when it was given, sets `run`.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace forger {

/// What main() calls once the command line is parsed; returns the exit code.
using Action = std::function<int()>;

void add_list(CLI::App& app, Action& action);
void add_summary(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);
void add_explain(CLI::App& app, Action& action);
void add_train(CLI::App& app, Action& action);
void add_sample(CLI::App& app, Action& action);
void add_eval(CLI::App& app, Action& action);
void add_verify(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);

}  // namespace forger
