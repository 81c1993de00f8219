// Fully connected networks: a GAN for images, and small ones for points.
#pragma once

#include "models/layers.h"

namespace forger {

/// z [N, Z] -> images [N, H, W, C] in (-1, 1): dense 256, 512, 1024 with LeakyReLU and batch norm.
Value mlp_generator(Network& network, Value z, const Shape& image, const ForwardPass& pass);
/// images -> logits [N, 1]: dense 512, 256 with LeakyReLU and dropout.
Value mlp_discriminator(Network& network, Value images, const ForwardPass& pass);

/// z [N, Z] -> points [N, dims] through `hidden` layers, each followed by ReLU; the last layer is linear.
Value points_generator(Network& network, Value z, const std::vector<int64_t>& hidden, int64_t dims, const ForwardPass& pass);
/// points [N, dims] -> logits [N, 1], likewise.
Value points_discriminator(Network& network, Value points, const std::vector<int64_t>& hidden, const ForwardPass& pass);

/// The networks for points of PacGAN (Lin et al. 2018, arXiv:1712.04086, section 4.1): G four layers of 400 with batch
/// norm and ReLU, D three maxout layers of 200 units with 5 pieces.
Value pacgan_generator(Network& network, Value z, int64_t dims, const ForwardPass& pass);
Value pacgan_discriminator(Network& network, Value points, const ForwardPass& pass);

/// The 1010 pattern's generator 1-3-4 and discriminator 4-3-1: sigmoid layers with PyTorch's initial weights.
Value pattern_generator(Network& network, Value z, const ForwardPass& pass);      // [N,1] -> [N,4] in (0, 1)
Value pattern_discriminator(Network& network, Value x, const ForwardPass& pass);  // [N,4] -> logits [N,1]

}  // namespace forger
