// What keeps a discriminator smooth: gradient penalties, by second-order gradients of the graph, and clipped weights.
#pragma once

#include <functional>

#include "models/network.h"

namespace forger {

enum class GradientPenalty {
  none,
  wgan_gp,  // between real and fake: Gulrajani et al. 2017 (arXiv:1704.00028), equation 3
  r1,       // at the real samples, r2: at the fakes; Mescheder et al. 2018 (arXiv:1801.04406), equations 9 and 10
  r2,
  r1_r2,   // both: R3GAN, Huang et al. 2024 (arXiv:2501.05441)
  dragan,  // around the real samples: Kodali et al. 2017 (arXiv:1705.07215)
};

/// Throws ConfigError for an unknown name.
GradientPenalty parse_penalty(const std::string& name);

/// |d output / d samples|^2 per row of `output` [N/pack, 1]: [N/pack, 1]. Row i of a pack of m samples is that of
/// samples i, i + N/m, ...
Value squared_gradient_norm(Value output, Value samples);

/// mean((|d output / d samples| - 1)^2), a scalar: of WGAN-GP and DRAGAN.
Value one_centred_penalty(Value output, Value samples);
/// mean(|d output / d samples|^2) / 2, a scalar: of R1 and R2.
Value zero_centred_penalty(Value output, Value samples);

/// e * real + (1 - e) * fake with one e in U[0, 1) per sample.
Value interpolate(Value real, Value fake, Value seed, Value step);
/// real + 0.5 * s * U[0, 1) with s the standard deviation of all numbers of the batch: the noise of the authors' code.
Value perturb(Value real, Value seed, Value step);

/// Every parameter of the network, brought into [-limit, limit]: WGAN's constraint, Arjovsky et al. 2017
/// (arXiv:1701.07875), algorithm 1.
void clip_weights(Network& network, double limit);

}  // namespace forger
