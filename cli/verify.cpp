#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "engine/runtime/backend.h"
#include "models/config.h"
#include "tests/cases/case.h"

namespace forger {
namespace {

constexpr double kGradientBound = 1e-6, kSecondGradientBound = 1e-5;

struct VerifyArguments {
  std::string op, device = "cpu", format = "table";
  bool kernels_only = false;
};

/// The table, or one JSON object per row, as the checks go on.
class Report {
 public:
  explicit Report(bool json) : json_(json) {
    if (!json_)
      fmt::print("{:<22} {:<30} {:<18} {:<40} {:<9} {:>9} {:>9}  {}\n", "op", "case", "output", "kernel", "precision", "error",
                 "bound", "verdict");
  }

  void row(const Case& c, const std::string& variant, const CaseVerdict& v) {
    ++(v.problem.empty() ? passed_ : failed_);
    if (json_) {
      const nlohmann::json line{
          {"op", c.op},           {"case", c.name + variant}, {"output", v.output}, {"provider", v.provider},
          {"kernel", v.kernel},   {"precision", v.precision}, {"error", v.error},   {"bound", v.bound},
          {"problem", v.problem}, {"ok", v.problem.empty()}};
      fmt::print("{}\n", line.dump());
    } else {
      fmt::print("{:<22} {:<30} {:<18} {:<40} {:<9} {:>9.2e} {:>9.2e}  {}\n", c.op, c.name + variant, v.output, v.kernel,
                 v.precision, v.error, v.bound, v.problem.empty() ? "ok" : "MISS " + v.problem);
    }
  }

  int finish() const {
    if (json_) {
      fmt::print("{}\n", nlohmann::json{{"passed", passed_}, {"failed", failed_}}.dump());
    } else {
      fmt::print("{} passed, {} failed\n", passed_, failed_);
    }
    return failed_ == 0 && passed_ > 0 ? 0 : 1;
  }

 private:
  bool json_;
  int passed_ = 0, failed_ = 0;
};

void check_op(const std::string& name) {
  std::vector<std::string> names;
  for (const Case& c : all_cases()) names.push_back(c.op);
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    fail<ConfigError>("--op: there is no op '{}'; did you mean '{}'?", name, nearest_name(name, names));
  }
}

CaseVerdict gradient_verdict(const std::string& name, double error, double bound) {
  return {.provider = "autodiff",
          .kernel = name,
          .precision = "fp64",
          .error = error,
          .bound = bound,
          .problem = error < bound ? "" : "differs from central differences"};
}

int verify_all(const VerifyArguments& arguments) {
  if (!arguments.op.empty()) check_op(arguments.op);
  const Backend backend = open_backend({.device = arguments.device});
  const bool host = arguments.device == "cpu";  // with the emulator: all that needs no GPU
  Report report(arguments.format == "json");
  for (const Case& c : all_cases()) {
    if (!arguments.op.empty() && c.op != arguments.op) continue;
    for (const Provider* provider : all_providers()) {
      const bool here = provider->place == backend.place || (host && provider->place == Provider::Place::emulator);
      if (!here || provider->kernels.empty()) continue;
      for (const Fill fill : {Fill::reals, Fill::integers}) {
        if (fill == Fill::integers && !c.exact_on_integers) continue;
        for (const CaseVerdict& v : check_case(c, *provider, fill, {.device = backend.device.get(), .target = backend.target})) {
          report.row(c, fill == Fill::integers ? " (integers)" : "", v);
        }
      }
    }
    if (arguments.kernels_only || !c.check_gradients || !host) continue;  // gradients are the graph's: no device changes them
    report.row(c, "", gradient_verdict("gradient", gradient_error(c), kGradientBound));
    report.row(c, "", gradient_verdict("second gradient", second_gradient_error(c), kSecondGradientBound));
  }
  const Provider& emulator = emulated::provider();
  if (host && emulator.kernels.empty()) fmt::print(stderr, "the CUDA kernels were not checked: {}\n", emulator.missing);
  return report.finish();
}

}  // namespace

void add_verify(CommandLine& line) {
  Command command = line.add("verify", "check every kernel against the reference, every gradient against differences");
  auto a = std::make_shared<VerifyArguments>();
  command.option("--op", a->op, "check this op alone");
  command.option("--device", a->device, "cpu (the CUDA kernels are emulated, too), emulated, cuda or cuda:N").show_default();
  command.flag("--kernels-only", a->kernels_only, "leave out the gradients");
  command.option("--format", a->format, "table or json").choices({"table", "json"}).show_default();
  command.run([a] { return verify_all(*a); });
}

}  // namespace forger
