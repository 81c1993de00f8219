#include "models/ema.h"

#include "engine/ops/ops.h"

namespace forger {

void add_moving_average(const Network& network, double decay) {
  Graph& graph = network.graph();
  const std::string prefix = network.name() + "_ema";
  const PathScope scope(graph, prefix);
  const Value old = graph.variable(prefix + "_weight", {graph.real(), {}}, Initializer::zeros());
  const Value weight = shift(scale(old, decay), 1 - decay);
  graph.update(prefix + "_weight", weight);
  const Value rate = scale(unary(ScalarOp::reciprocal, weight), 1 - decay);  // 1 in the first step
  for (const auto& [name, value] : network.values()) {
    const std::string source = network.name() + "/" + name;
    const Initializer initializer = graph.variable(source).initializer.like(source);
    const Value average = graph.variable(prefix + "/" + name, value.type(), initializer);
    graph.update(prefix + "/" + name, add(average, mul(sub(value, average), broadcast_to(rate, value.shape()))));
  }
}

}  // namespace forger
