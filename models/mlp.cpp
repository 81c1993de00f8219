#include "models/mlp.h"

#include "engine/graph/types.h"

namespace forger {

Value mlp_generator(Network& network, Value z, const Shape& image, const ForwardPass& pass) {
  Layers x(network, z, pass);
  for (const int64_t units : {256, 512, 1024}) x.dense(units).leaky_relu(0.2).batch_norm(0.8);
  x.dense(num_elements(image)).tanh().reshape(image);
  return x.value();
}

Value mlp_discriminator(Network& network, Value images, const ForwardPass& pass) {
  Layers x(network, images, pass);
  x.flatten();
  for (const int64_t units : {512, 256}) x.dense(units).leaky_relu(0.2).dropout(0.3);
  x.dense(1);
  return x.value();
}

Value points_network(Network& network, Value input, const std::vector<int64_t>& hidden, int64_t outputs,
                     const ForwardPass& pass) {
  Layers x(network, input, pass);
  for (const int64_t units : hidden) x.dense(units).relu();
  x.dense(outputs);
  return x.value();
}

Value pattern_generator(Network& network, Value z, const ForwardPass& pass) {
  Layers x(network, z, pass);
  x.dense(3, Layers::DenseInit::torch).sigmoid().dense(4, Layers::DenseInit::torch).sigmoid();
  return x.value();
}

Value pattern_discriminator(Network& network, Value input, const ForwardPass& pass) {
  Layers x(network, input, pass);
  x.dense(3, Layers::DenseInit::torch).sigmoid().dense(1, Layers::DenseInit::torch);
  return x.value();
}

}  // namespace forger
