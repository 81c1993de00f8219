#include "models/best_mnist.h"

#include "kernels/common/errors.h"

namespace forger {

Value best_mnist_generator(Network& network, Value z, int64_t side, int64_t channels, const ForwardPass& pass) {
  if (side % 4 != 0)
    fail<ConfigError>("--image-size: {} is no multiple of 4, as best-mnist's two doublings need; try {}", side, side / 4 * 4);
  const int64_t s = side / 4, width = network.options().width;
  Layers x(network, z, pass);
  x.dense(8 * width).batch_norm(0.9).relu();
  x.dense(2 * width * s * s).reshape({s, s, 2 * width}).batch_norm(0.9).relu();  // 7x7 for MNIST
  x.conv2d_transpose(width, 4, 2).batch_norm(0.9).relu();                        // 14x14
  x.conv2d_transpose(channels, 4, 2).tanh();                                     // 28x28
  return x.value();
}

Value best_mnist_discriminator(Network& network, Value images, const ForwardPass& pass) {
  const int64_t width = network.options().width;
  Layers x(network, images, pass);
  x.conv2d(width, 4, 2).leaky_relu(0.2).dropout();                // 14x14
  x.conv2d(2 * width, 4, 2).norm(0.9).leaky_relu(0.2).dropout();  // 7x7
  // The convolutions see 10 pixels; strokes that do not meet are found by what sees the whole digit.
  x.minibatch_stddev().flatten().dense(8 * width).norm(0.9).leaky_relu(0.2).logits();
  return x.value();
}

}  // namespace forger
