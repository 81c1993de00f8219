// The DCGAN that published results on stacked MNIST use: PacGAN (Lin et al. 2018, arXiv:1712.04086), section 4.2, after
// the code of DCGAN-tensorflow: 5x5 filters, 64 to 512 channels.
#pragma once

#include "models/layers.h"

namespace forger {

/// z [N, Z] -> images [N, side, side, channels] in (-1, 1), from ceil(side / 16) pixels by four doublings.
Value stacked_mnist_generator(Network& network, Value z, int64_t side, int64_t channels, const ForwardPass& pass);

/// images [N, H, W, C] -> logits [N, 1].
Value stacked_mnist_discriminator(Network& network, Value images, const ForwardPass& pass);

}  // namespace forger
