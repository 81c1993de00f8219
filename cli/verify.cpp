#include "cli/commands.h"
#include "kernels/common/errors.h"
#include "models/config.h"
#include "tests/cases/case.h"

namespace forger {
namespace {

constexpr double kGradientBound = 1e-6, kSecondGradientBound = 1e-5;

struct Tally {
  int passed = 0, failed = 0;

  void row(const std::string& op, const std::string& size, const std::string& what, double error, double bound,
           const std::string& problem) {
    ++(problem.empty() ? passed : failed);
    fmt::print("{:<22} {:<30} {:<36} {:>9.2e} {:>9.2e}  {}\n", op, size, what, error, bound,
               problem.empty() ? "ok" : "MISS " + problem);
  }
};

void check_op(const std::string& name) {
  std::vector<std::string> names;
  for (const Case& c : all_cases()) names.push_back(c.op);
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    fail<ConfigError>("--op: there is no op '{}'; did you mean '{}'?", name, nearest_name(name, names));
  }
}

int verify_all(const std::string& only, bool gradients) {
  if (!only.empty()) check_op(only);
  fmt::print("{:<22} {:<30} {:<36} {:>9} {:>9}  {}\n", "op", "case", "kernel", "error", "bound", "verdict");
  Tally tally;
  for (const Case& c : all_cases()) {
    if (!only.empty() && c.op != only) continue;
    for (const Provider* provider : all_providers()) {
      for (const Fill fill : {Fill::reals, Fill::integers}) {
        if (fill == Fill::integers && !c.exact_on_integers) continue;
        for (const Verdict& v : check_case(c, *provider, fill)) {
          tally.row(c.op, c.name + (fill == Fill::integers ? " (integers)" : ""), v.kernel, v.error, v.bound, v.problem);
        }
      }
    }
    if (!gradients || !c.check_gradients) continue;
    const double first = gradient_error(c), second = second_gradient_error(c);
    tally.row(c.op, c.name, "gradient", first, kGradientBound, first < kGradientBound ? "" : "differs from central differences");
    tally.row(c.op, c.name, "second gradient", second, kSecondGradientBound,
              second < kSecondGradientBound ? "" : "differs from central differences");
  }
  fmt::print("{} passed, {} failed\n", tally.passed, tally.failed);
  return tally.failed == 0 && tally.passed > 0 ? 0 : 1;
}

}  // namespace

void add_verify(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("verify", "check every kernel against the reference, every gradient against differences");
  auto only = std::make_shared<std::string>();
  auto kernels_only = std::make_shared<bool>(false);
  command->add_option("--op", *only, "check this op alone");
  command->add_flag("--kernels-only", *kernels_only, "leave out the gradients");
  command->callback(
      [&action, only, kernels_only] { action = [only, kernels_only] { return verify_all(*only, !*kernels_only); }; });
}

}  // namespace forger
