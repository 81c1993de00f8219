// Synthetic distributions as data: a few centres and noise around them. The GAN is measured on what it makes
// of them.
#pragma once

#include <cstdint>
#include <vector>

namespace forger {

/// sample = center of a random mode + scale * noise, every mode as likely as the others.
struct Mixture {
  enum class Noise {
    normal,   // N(0, 1) in every dimension
    uniform,  // [0, 1)
  };
  int dims = 0;
  std::vector<float> centers;  // [modes, dims]
  float scale = 0;
  Noise noise = Noise::normal;

  int64_t modes() const { return static_cast<int64_t>(centers.size()) / dims; }
};

/// The pattern 1 0 1 0: four numbers, uniform in [0.8, 1), [0, 0.2), [0.8, 1), [0, 0.2).
Mixture pattern1010();

/// The standard normal distribution on a line.
Mixture normal1d();

/// Four normal distributions of standard deviation 0.5 in the plane, at (+-1.5, +-1.5).
Mixture gaussians4();

/// Eight narrow normal distributions (0.01) on the circle of radius 1; Metz et al., "Unrolled GANs", 2017.
Mixture ring8();

/// 25 normal distributions (0.05) on the grid -4, -2, 0, 2, 4; Srivastava et al., "VEEGAN", 2017.
Mixture grid25();

/// The modes of the first n samples that `sample` makes of the same seed, [n].
std::vector<uint32_t> sample_modes(const Mixture& mixture, int64_t n, uint64_t seed);

/// n samples, [n, dims]. A pure function of its arguments: the first samples of a longer run are those of a
/// shorter. Throws ConfigError if n is negative or above 2^32.
std::vector<float> sample(const Mixture& mixture, int64_t n, uint64_t seed);

}  // namespace forger
