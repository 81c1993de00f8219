#include "models/unroll.h"

#include <cmath>

#include "engine/autodiff/gradients.h"
#include "engine/ops/ops.h"

namespace forger {
namespace {

/// factor * a + other * b
Value blend(double factor, Value a, double other, Value b) {
  return add(scale(a, factor), scale(b, other));
}

Value times(Value tensor, Value scalar) {
  return mul(tensor, broadcast_to(scalar, tensor.shape()));
}

}  // namespace

Unrolling::Unrolling(const Network& discriminator, const Optimizer& optimizer, const Config& config, int64_t updates)
    : discriminator_(discriminator),
      optimizer_(optimizer),
      kind_(config.text("optimizer")),
      beta1_(config.real("beta1")),
      beta2_(config.real("beta2")),
      epsilon_(config.real("epsilon")),
      momentum_(config.real("momentum")),
      rho_(config.real("rho")) {
  if (kind_ != "adam") return;
  // The optimizer counts its updates in whole numbers; the corrections need beta^t as a real one.
  Graph& graph = discriminator.graph();
  const auto power = [&](const std::string& name, double beta) {
    const Value before = graph.variable(name, {graph.real(), {}}, Initializer::ones());
    const Value after = scale(before, std::pow(beta, static_cast<double>(updates)));
    graph.update(name, after);
    return after;
  };
  beta1_power_ = power("unroll/beta1_power", beta1_);
  beta2_power_ = power("unroll/beta2_power", beta2_);
}

Value Unrolling::rate_of(int64_t step) {
  const auto correction = [&](Value power, double beta) {
    return shift(scale(power, -std::pow(beta, static_cast<double>(step))), 1.0);  // 1 - beta^(t + step)
  };
  const Value root = unary(ScalarOp::sqrt, correction(beta2_power_, beta2_));
  return mul(optimizer_.learning_rate(), div(root, correction(beta1_power_, beta1_)));
}

Network Unrolling::look_ahead(int64_t steps, const std::function<Value(Network&)>& loss) {
  Network copy = discriminator_;
  const std::vector<std::string>& names = copy.parameter_names();
  Values first, second;  // moments
  for (const std::string& name : names) {
    first.push_back(optimizer_.slot(kind_ == "adam" ? "m" : kind_ == "sgd" ? "velocity" : "mean_square", name));
    second.push_back(kind_ == "adam" ? optimizer_.slot("v", name) : Value{});
  }
  for (int64_t step = 1; step <= steps; ++step) {
    const PathScope scope(copy.graph(), "unroll_" + std::to_string(step));
    const Values parameters = copy.parameters(), grads = gradients(loss(copy), parameters);
    const Value rate = kind_ == "adam" ? rate_of(step) : optimizer_.learning_rate();
    for (size_t i = 0; i < names.size(); ++i) {
      const Value g = grads[i];
      Value change;
      const auto over_root = [&](Value numerator, Value mean_square) {
        const Value root = unary(ScalarOp::sqrt, shift(mean_square, epsilon_ * epsilon_));
        return div(numerator, shift(root, epsilon_));
      };
      if (kind_ == "adam") {
        first[i] = blend(beta1_, first[i], 1 - beta1_, g);
        second[i] = blend(beta2_, second[i], 1 - beta2_, square(g));
        change = neg(times(over_root(first[i], second[i]), rate));
      } else if (kind_ == "rmsprop") {
        first[i] = blend(rho_, first[i], 1 - rho_, square(g));
        change = neg(times(over_root(g, first[i]), rate));
      } else {
        first[i] = sub(scale(first[i], momentum_), times(g, rate));
        change = first[i];
      }
      copy.set(names[i], add(parameters[i], change));
    }
  }
  return copy;
}

}  // namespace forger
