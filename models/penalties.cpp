#include "models/penalties.h"

#include "engine/autodiff/gradients.h"
#include "engine/ops/ops.h"

namespace forger {
namespace {

std::vector<int64_t> axes_from(int64_t first, const Shape& shape) {
  std::vector<int64_t> axes;
  for (int64_t i = first; i < static_cast<int64_t>(shape.size()); ++i) axes.push_back(i);
  return axes;
}

}  // namespace

GradientPenalty parse_penalty(const std::string& name) {
  if (name == "none") return GradientPenalty::none;
  if (name == "wgan-gp") return GradientPenalty::wgan_gp;
  if (name == "r1") return GradientPenalty::r1;
  if (name == "r2") return GradientPenalty::r2;
  if (name == "r1-r2") return GradientPenalty::r1_r2;
  if (name == "dragan") return GradientPenalty::dragan;
  fail<ConfigError>("--gradient-penalty: there is no '{}'", name);
}

Value squared_gradient_norm(Value output, Value samples) {
  const PathScope scope(output.graph(), "gradient_norm");
  // The sum over rows has each row's own gradient, as long as D treats rows apart: no batch norm.
  const Value wrt[] = {samples};
  const Value gradient = gradients(reduce_sum(output, {0, 1}), wrt)[0];
  const Value per_sample = reshape(reduce_sum(square(gradient), axes_from(1, gradient.shape())), {samples.dim(0), 1});
  const int64_t rows = output.dim(0);
  Value sum;
  for (int64_t begin = 0; begin < samples.dim(0); begin += rows) {
    const Value part = rows == samples.dim(0) ? per_sample : slice(per_sample, {begin, 0}, {rows, 1});
    sum = sum ? add(sum, part) : part;
  }
  return sum;
}

Value one_centred_penalty(Value output, Value samples) {
  // The root's slope is infinite at 0, which a dead D reaches.
  const Value norm = unary(ScalarOp::sqrt, shift(squared_gradient_norm(output, samples), 1e-12));
  return mean_all(square(shift(norm, -1.0)));
}

Value zero_centred_penalty(Value output, Value samples) {
  return scale(mean_all(squared_gradient_norm(output, samples)), 0.5);
}

Value interpolate(Value real, Value fake, Value seed, Value step) {
  Shape one_each(real.shape().size(), 1);
  one_each[0] = real.dim(0);
  const Value e = broadcast_to(random_uniform(seed, step, 0, 1, one_each), real.shape());
  return add(fake, mul(e, sub(real, fake)));
}

Value perturb(Value real, Value seed, Value step) {
  const Value centred = sub(real, broadcast_to(mean_all(real), real.shape()));
  const Value stddev = unary(ScalarOp::sqrt, mean_all(square(centred)));
  return add(real, mul(random_uniform(seed, step, 0, 0.5, real.shape()), broadcast_to(stddev, real.shape())));
}

void clip_weights(Network& network, double limit) {
  Graph& graph = network.graph();
  const PathScope scope(graph, network.name() + "_clip");
  for (const std::string& name : network.parameter_names()) {
    const Value w = network.get(name);
    const Value above = binary(ScalarOp::maximum, w, fill(graph, -limit, w.shape()));
    network.set(name, binary(ScalarOp::minimum, above, fill(graph, limit, w.shape())));
  }
}

}  // namespace forger
