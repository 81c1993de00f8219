// What stands between the data and the networks' inputs: classes, packs, noise.
#pragma once

#include "engine/graph/graph.h"

namespace forger {

/// One-hot labels [N, K] behind the latent noise [N, Z]: [N, Z + K]. In the dense layer that follows, this is an
/// embedding of the class, added. Mirza and Osindero 2014 (arXiv:1411.1784).
Value condition_latent(Value z, Value labels);

/// One-hot labels [N, K] as K more features of points [N, D], or K more channels of images [N, H, W, C], each constant over
/// the image.
Value condition_samples(Value samples, Value labels);

/// Packs of `count` samples as one input of D: [N, ..., C] -> [N / count, ..., count * C]; pack i has the samples i,
/// i + N / count, ... Lin et al. 2018, PacGAN (arXiv:1712.04086). N must be a multiple of count.
Value pack(Value samples, int64_t count);

/// The class of each sample of a grid that has one class per column: 0, 1, ... along a row of `columns`, then from the
/// start; classes beyond the last begin again.
std::vector<int64_t> classes_by_column(int64_t count, int64_t columns, int64_t classes);

/// One-hot rows [count, classes] on the host.
std::vector<float> one_hot(const std::vector<int64_t>& labels, int64_t classes);

}  // namespace forger
