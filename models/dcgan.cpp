#include "models/dcgan.h"

#include "kernels/common/errors.h"

namespace forger {

Value dcgan_generator(Network& network, Value z, int64_t side, int64_t channels, const ForwardPass& pass) {
  if (side % 4 != 0)
    fail<ConfigError>("--image-size: {} is no multiple of 4, as dcgan's two doublings need; try {}", side, side / 4 * 4);
  const int64_t s = side / 4;
  Layers x(network, z, pass);
  x.dense(128 * s * s).reshape({s, s, 128});                            // 7x7 for MNIST
  x.conv2d_transpose(128, 4, 2).conv2d(128, 4).batch_norm(0.8).relu();  // 14x14
  x.conv2d_transpose(128, 4, 2).conv2d(64, 4).batch_norm(0.8).relu();   // 28x28
  x.conv2d(channels, 7).tanh();
  return x.value();
}

Value dcgan_discriminator(Network& network, Value images, const ForwardPass& pass) {
  // The tutorial's third and fourth LeakyReLU have no argument: Keras's default slope, 0.3.
  Layers x(network, images, pass);
  x.conv2d(32, 3, 2).leaky_relu(0.2).dropout();             // 14x14
  x.conv2d(64, 4, 2).norm(0.8).leaky_relu(0.2).dropout();   // 7x7
  x.conv2d(128, 4, 2).norm(0.8).leaky_relu(0.3).dropout();  // 4x4
  x.conv2d(256, 4, 1).norm(0.8).leaky_relu(0.3).dropout();  // 4x4
  x.minibatch_stddev().flatten().logits();
  return x.value();
}

}  // namespace forger
