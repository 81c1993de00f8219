// Optimizer updates, one node for all tensors of a network. They have no gradient rule: a later loss that reads the
// updated weights must not differentiate through the update (that would be an unrolled GAN, a method of its own).
#include "engine/ops/common.h"

namespace forger {
namespace {

/// After `first` scalars the inputs come in groups of `group` equal types: parameter, gradient, slots.
/// Outputs: per group the parameter and its slots.
std::vector<TensorType> infer_groups(const InferContext& c, size_t first, size_t group) {
  c.require(c.inputs.size() > first && (c.inputs.size() - first) % group == 0,
            "{} takes {} scalars and groups of {}, got {} inputs", c.op, first, group, c.inputs.size());
  c.require(c.inputs[first - 1] == TensorType{c.real, {}}, "the learning rate is {}, expected {}[]",
            to_string(c.inputs[first - 1]), name_of(c.real));
  std::vector<TensorType> outputs;
  for (size_t i = first; i < c.inputs.size(); i += group) {
    c.require_real(i);
    for (size_t j = 1; j < group; ++j) c.require_same(i, i + j);
    outputs.insert(outputs.end(), group - 1, c.inputs[i]);
  }
  return outputs;
}

/// Parameters and slots are updated in place; the gradient (second of each group) is only read.
InPlace in_place_groups(const Node& node, size_t first, size_t group) {
  InPlace result;
  for (size_t i = first; i < node.inputs.size(); i += group) {
    for (size_t j = 0; j < group; ++j) {
      if (j != 1) result.push_back({i + j});
    }
  }
  return result;
}

std::vector<TensorType> infer_adam(const InferContext& c) {
  auto outputs = infer_groups(c, 2, 4);
  c.require(c.inputs[0] == TensorType{DType::i64, {}}, "adam's t is {}, expected i64[]", to_string(c.inputs[0]));
  return outputs;
}
std::vector<TensorType> infer_momentum(const InferContext& c) {
  return infer_groups(c, 1, 3);
}

int64_t flops_groups(const Graph& g, const Node& n) {
  int64_t total = 0;
  for (ValueId id : n.outputs) total += 4 * g.type(id).size();
  return total;
}

const OpSpec kSpecs[] = {
    {.name = "adam",
     .infer = infer_adam,
     .flops = flops_groups,
     .in_place = [](const Node& n) { return in_place_groups(n, 2, 4); }},
    {.name = "sgd_momentum",
     .infer = infer_momentum,
     .flops = flops_groups,
     .in_place = [](const Node& n) { return in_place_groups(n, 1, 3); }},
    {.name = "rmsprop",
     .infer = infer_momentum,
     .flops = flops_groups,
     .in_place = [](const Node& n) { return in_place_groups(n, 1, 3); }},
};

void require_counts(std::string_view op, size_t parameters, std::initializer_list<size_t> others) {
  for (size_t n : others) {
    if (n != parameters) fail<ShapeError>("{}: {} parameters but {} gradients or slots", op, parameters, n);
  }
}

MomentumUpdate one_slot(std::string_view op, Value lr, std::span<const Value> parameters, std::span<const Value> gradients,
                        std::span<const Value> slots, Attributes attributes) {
  require_counts(op, parameters.size(), {gradients.size(), slots.size()});
  std::vector<Value> inputs{lr};
  for (size_t i = 0; i < parameters.size(); ++i) inputs.insert(inputs.end(), {parameters[i], gradients[i], slots[i]});
  const auto r = lr.graph().add(find_op(op), inputs, std::move(attributes));
  MomentumUpdate update;
  for (size_t i = 0; i < r.size(); i += 2) {
    update.parameters.push_back(r[i]);
    update.slots.push_back(r[i + 1]);
  }
  return update;
}

}  // namespace

std::span<const OpSpec> optimizer_specs() {
  return kSpecs;
}

AdamUpdate adam(Value t, Value lr, std::span<const Value> parameters, std::span<const Value> gradients, std::span<const Value> m,
                std::span<const Value> v, double beta1, double beta2, double epsilon) {
  require_counts("adam", parameters.size(), {gradients.size(), m.size(), v.size()});
  std::vector<Value> inputs{t, lr};
  for (size_t i = 0; i < parameters.size(); ++i) inputs.insert(inputs.end(), {parameters[i], gradients[i], m[i], v[i]});
  const auto r = lr.graph().add(find_op("adam"), inputs, {{"beta1", beta1}, {"beta2", beta2}, {"epsilon", epsilon}});
  AdamUpdate update;
  for (size_t i = 0; i < r.size(); i += 3) {
    update.parameters.push_back(r[i]);
    update.m.push_back(r[i + 1]);
    update.v.push_back(r[i + 2]);
  }
  return update;
}

MomentumUpdate sgd_momentum(Value lr, std::span<const Value> parameters, std::span<const Value> gradients,
                            std::span<const Value> slots, double momentum) {
  return one_slot("sgd_momentum", lr, parameters, gradients, slots, {{"momentum", momentum}});
}

MomentumUpdate rmsprop(Value lr, std::span<const Value> parameters, std::span<const Value> gradients,
                       std::span<const Value> slots, double rho, double epsilon) {
  return one_slot("rmsprop", lr, parameters, gradients, slots, {{"rho", rho}, {"epsilon", epsilon}});
}

}  // namespace forger
