#include "models/stacked_mnist.h"

namespace forger {

Value stacked_mnist_generator(Network& network, Value z, int64_t side, int64_t channels, const ForwardPass& pass) {
  const auto halved = [&](int64_t times) { return (side + (int64_t{1} << times) - 1) >> times; };  // 28: 14, 7, 4, 2
  Layers x(network, z, pass);
  x.dense(halved(4) * halved(4) * 512).reshape({halved(4), halved(4), 512}).batch_norm(0.9).relu();
  int64_t filters = 256;
  for (int64_t times = 3; times > 0; --times, filters /= 2) {
    x.conv2d_transpose_to(halved(times), halved(times), filters, 5, 2).batch_norm(0.9).relu();
  }
  x.conv2d_transpose_to(side, side, channels, 5, 2).tanh();
  return x.value();
}

Value stacked_mnist_discriminator(Network& network, Value images, const ForwardPass& pass) {
  Layers x(network, images, pass);
  x.conv2d(64, 5, 2).leaky_relu(0.2);             // 14x14
  x.conv2d(128, 5, 2).norm(0.9).leaky_relu(0.2);  // 7x7
  x.conv2d(256, 5, 2).norm(0.9).leaky_relu(0.2);  // 4x4
  x.conv2d(512, 5, 2).norm(0.9).leaky_relu(0.2);  // 2x2
  x.dropout().minibatch_stddev().flatten().logits();
  return x.value();
}

}  // namespace forger
