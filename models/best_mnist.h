// A lean GAN for MNIST: the networks of InfoGAN (Chen et al. 2016, arXiv:1606.03657, appendix C.1), which "Are GANs Created
// Equal?" (Lucic et al. 2018, arXiv:1711.10337) compares losses with. There width is 64 and the dense layer has 1,024 units.
#pragma once

#include "models/layers.h"

namespace forger {

/// z [N, Z] -> images [N, side, side, channels] in (-1, 1). side must be a multiple of 4.
Value best_mnist_generator(Network& network, Value z, int64_t side, int64_t channels, const ForwardPass& pass);

/// images [N, H, W, C] -> logits [N, 1].
Value best_mnist_discriminator(Network& network, Value images, const ForwardPass& pass);

}  // namespace forger
