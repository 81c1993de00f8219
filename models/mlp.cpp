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
  for (const int64_t units : {512, 256}) x.dense(units).leaky_relu(0.2).dropout();
  x.minibatch_stddev().logits();
  return x.value();
}

Value points_generator(Network& network, Value z, const std::vector<int64_t>& hidden, int64_t dims, const ForwardPass& pass) {
  Layers x(network, z, pass);
  for (const int64_t units : hidden) x.dense(units).relu();
  x.dense(dims);
  return x.value();
}

Value points_discriminator(Network& network, Value points, const std::vector<int64_t>& hidden, const ForwardPass& pass) {
  Layers x(network, points, pass);
  for (const int64_t units : hidden) x.dense(units).relu();
  x.minibatch_stddev().logits();
  return x.value();
}

Value pacgan_generator(Network& network, Value z, int64_t dims, const ForwardPass& pass) {
  Layers x(network, z, pass);
  for (int i = 0; i < 4; ++i) x.dense(400).batch_norm(0.99).relu();
  x.dense(dims);
  return x.value();
}

Value pacgan_discriminator(Network& network, Value points, const ForwardPass& pass) {
  Layers x(network, points, pass);
  for (int i = 0; i < 3; ++i) x.maxout(200, 5);
  x.minibatch_stddev().logits();
  return x.value();
}

Value pattern_generator(Network& network, Value z, const ForwardPass& pass) {
  Layers x(network, z, pass);
  x.dense(3, Layers::DenseInit::torch).sigmoid().dense(4, Layers::DenseInit::torch).sigmoid();
  return x.value();
}

Value pattern_discriminator(Network& network, Value input, const ForwardPass& pass) {
  Layers x(network, input, pass);
  x.dense(3, Layers::DenseInit::torch).sigmoid().minibatch_stddev().logits(Layers::DenseInit::torch);
  return x.value();
}

}  // namespace forger
