#include "training/gradient_norms.h"

#include <cmath>
#include <limits>

namespace forger {
namespace {

/// Sum of f(value) over all variables whose names begin with `prefix`.
template <class F>
double sum_over(const VariableStore& variables, const std::string& prefix, F f) {
  double total = 0;
  for (auto it = variables.entries().lower_bound(prefix); it != variables.entries().end() && it->first.starts_with(prefix);
       ++it) {
    if (it->second.type.dtype != DType::f32) continue;
    const auto bytes = variables.read(it->first);
    const auto* values = reinterpret_cast<const float*>(bytes.data());
    // Partial sums in float would lose little, but a diverging run overflows them: double, in eight lanes for speed.
    double lanes[8] = {};
    const size_t n = bytes.size() / sizeof(float);
    for (size_t i = 0; i < n; ++i) lanes[i % 8] += f(static_cast<double>(values[i]));
    for (const double lane : lanes) total += lane;
  }
  return total;
}

}  // namespace

double gradient_norm(const VariableStore& variables, const Config& config, const std::string& network) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  const std::string kind = config.text("optimizer"), state = network + "/" + kind + "/";
  const auto squares = [&](const std::string& slot) {
    return sum_over(variables, state + slot + "/", [](double v) { return v * v; });
  };
  if (kind == "adam") {
    if (!variables.contains(state + "t")) return kNone;
    const auto t = variables.read_scalar<int64_t>(state + "t");
    return t == 0 ? kNone : std::sqrt(squares("m")) / (1 - std::pow(config.real("beta1"), static_cast<double>(t)));
  }
  double norm = kNone;
  if (kind == "sgd") {
    // The velocity is the sum of lr * g * momentum^age, whose weights add up to lr / (1 - momentum).
    const double lr = variables.contains(state + "learning_rate")
                          ? static_cast<double>(variables.read_scalar<float>(state + "learning_rate"))
                          : 0;
    norm = lr > 0 ? std::sqrt(squares("velocity")) * (1 - config.real("momentum")) / lr : kNone;
  } else if (kind == "rmsprop") {
    norm = std::sqrt(sum_over(variables, state + "mean_square/", [](double v) { return v; }));
  }
  return norm > 0 ? norm : kNone;
}

}  // namespace forger
