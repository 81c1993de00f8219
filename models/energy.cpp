#include "models/energy.h"

#include "engine/ops/ops.h"

namespace forger {

Value autoencoder_discriminator(Network& network, Value images, int64_t code, bool squared, const ForwardPass& pass) {
  const Shape shape(images.shape().begin() + 1, images.shape().end());
  // On [0, 1]: at -1 a black background would teach the autoencoder to copy every constant image, which G finds at once.
  const Value pixels = scale(shift(images, 1), 0.5);
  Layers x(network, pixels, pass);
  x.flatten();
  for (const int64_t units : {512, 256}) x.dense(units).relu();
  x.dense(code);
  network.set_tap("code", x.value());
  for (const int64_t units : {256, 512}) x.dense(units).relu();
  x.dense(num_elements(shape)).sigmoid();
  const Value error = sub(x.value(), reshape(pixels, x.value().shape()));
  return reduce_mean(squared ? square(error) : unary(ScalarOp::abs, error), {1}, true);
}

Value pulling_away(Value codes) {
  const double n = static_cast<double>(codes.dim(0));
  const Value inverse = unary(ScalarOp::rsqrt, shift(reduce_sum(square(codes), {1}, true), 1e-12));  // [N,1]
  const Value unit = mul(codes, broadcast_to(inverse, codes.shape()));
  const Value squares = square(matmul(unit, unit, false, true));  // [N,N], 1 on the diagonal
  return scale(shift(reduce_sum(squares, {0, 1}), -n), 1 / (n * (n - 1)));
}

BeganBalance::BeganBalance(Graph& graph, double gamma, double lambda)
    : gamma_(gamma), lambda_(lambda), k_(graph.variable("began/k", {graph.real(), {}}, Initializer::zeros())) {}

Value BeganBalance::update(Value real, Value fake) {
  Graph& graph = k_.graph();
  const Value imbalance = sub(scale(real, gamma_), fake);
  const Value next = add(k_, scale(imbalance, lambda_));
  graph.update("began/k", binary(ScalarOp::minimum, relu(next), fill(graph, 1.0, {})));
  return add(real, unary(ScalarOp::abs, imbalance));
}

}  // namespace forger
