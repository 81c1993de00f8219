// The DCGAN of a Keras tutorial for MNIST: layer by layer as printed there.
#pragma once

#include "models/layers.h"

namespace forger {

/// z [N, Z] -> images [N, side, side, channels] in (-1, 1). side must be a multiple of 4.
Value dcgan_generator(Network& network, Value z, int64_t side, int64_t channels, const ForwardPass& pass);

/// images [N, H, W, C] -> logits [N, 1].
Value dcgan_discriminator(Network& network, Value images, const ForwardPass& pass);

}  // namespace forger
