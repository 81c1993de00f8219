#include "models/instance_noise.h"

#include "engine/ops/ops.h"

namespace forger {
namespace {

constexpr const char* kVariable = "instance_noise";

}  // namespace

InstanceNoise::InstanceNoise(Graph& graph, const Config& config, Value seed, Value step)
    : graph_(graph),
      decrease_(config.real("instance-noise") / static_cast<double>(config.integer("instance-noise-steps"))),
      seed_(seed),
      step_(step) {
  const double first = config.real("instance-noise");
  if (first > 0) stddev_ = graph.variable(kVariable, {graph.real(), {}}, Initializer::constant(first));
}

Value InstanceNoise::apply(Value samples) const {
  if (!stddev_) return samples;
  const PathScope scope(graph_, "instance_noise");
  const Value noise = random_normal(seed_, step_, 0, 1, samples.shape());
  return add(samples, mul(noise, broadcast_to(stddev_, samples.shape())));
}

void InstanceNoise::commit() {
  if (stddev_) graph_.update(kVariable, relu(shift(stddev_, -decrease_)));
}

}  // namespace forger
