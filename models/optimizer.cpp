#include "models/optimizer.h"

#include "engine/autodiff/gradients.h"
#include "engine/ops/ops.h"

namespace forger {

Optimizer::Optimizer(Network& network, const Config& config, const std::string& side)
    : network_(network),
      state_(network.graph(), network.name() + "/" + config.text("optimizer")),
      kind_(config.text("optimizer")),
      learning_rate_(config.real(side + "-lr")),
      beta1_(config.real("beta1")),
      beta2_(config.real("beta2")),
      epsilon_(config.real("epsilon")),
      momentum_(config.real("momentum")),
      rho_(config.real("rho")) {}

std::vector<Value> Optimizer::slots(const std::string& kind) {
  std::vector<Value> values;
  for (const std::string& name : network_.parameter_names()) {
    values.push_back(state_.state(kind + "/" + name, network_.get(name).shape(), Initializer::zeros()));
  }
  return values;
}

void Optimizer::set_slots(const std::string& kind, const std::vector<Value>& values) {
  for (size_t i = 0; i < values.size(); ++i) state_.set(kind + "/" + network_.parameter_names()[i], values[i]);
}

void Optimizer::minimize(Value loss) {
  Graph& graph = network_.graph();
  const std::vector<Value> parameters = network_.parameters();
  const std::vector<Value> grads = gradients(loss, parameters);
  const PathScope scope(graph, network_.name() + "_" + kind_);
  const Value lr = state_.state("learning_rate", {}, Initializer::constant(learning_rate_));
  std::vector<Value> updated;
  if (kind_ == "adam") {
    const std::string t_name = state_.name() + "/t";
    if (!t_) t_ = graph.variable(t_name, {DType::i64, {}}, Initializer::zeros());
    t_ = increment(t_);
    graph.update(t_name, t_);
    const AdamUpdate u = adam(t_, lr, parameters, grads, slots("m"), slots("v"), beta1_, beta2_, epsilon_);
    set_slots("m", u.m);
    set_slots("v", u.v);
    updated = u.parameters;
  } else {
    const MomentumUpdate u = kind_ == "sgd" ? sgd_momentum(lr, parameters, grads, slots("velocity"), momentum_)
                                            : rmsprop(lr, parameters, grads, slots("mean_square"), rho_, epsilon_);
    set_slots(kind_ == "sgd" ? "velocity" : "mean_square", u.slots);
    updated = u.parameters;
  }
  for (size_t i = 0; i < updated.size(); ++i) network_.set(network_.parameter_names()[i], updated[i]);
}

}  // namespace forger
