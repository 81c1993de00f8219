#include "datasets/mixture.h"

#include <cmath>
#include <numbers>

#include "kernels/common/errors.h"
#include "kernels/common/philox.h"

namespace forger {
namespace {

// Far from the streams of a graph's nodes, which are numbered from 0: the same seed must not give a GAN the
// very numbers as noise that its data was made of.
constexpr uint64_t kModeStream = 0x4D49'5800'0000, kNoiseStream = 0x4D49'5800'0001;

/// Element `index` of a stream of random words.
uint32_t random_word(uint64_t seed, uint64_t stream, int64_t index) {
  // A block has four words and its number 32 bits; what is above counts as steps.
  const auto block = static_cast<uint64_t>(index) / 4;
  return philox_block(seed, stream, block >> 32, static_cast<uint32_t>(block)).v[index % 4];
}

/// Element `index` of a stream of N(0, 1): Box-Muller, two normals from two uniforms.
double random_normal(uint64_t seed, uint64_t stream, int64_t index) {
  const int64_t pair = index & ~int64_t{1};
  const double radius = std::sqrt(-2 * std::log(philox_uniform_nonzero(random_word(seed, stream, pair))));
  const double angle = 2 * std::numbers::pi * philox_uniform(random_word(seed, stream, pair + 1));
  return radius * (index == pair ? std::cos(angle) : std::sin(angle));
}

}  // namespace

Mixture pattern1010() {
  return {4, {0.8f, 0.0f, 0.8f, 0.0f}, 0.2f, Mixture::Noise::uniform};
}

Mixture normal1d() {
  return {1, {0.0f}, 1.0f, Mixture::Noise::normal};
}

Mixture gaussians4() {
  return {2, {-1.5f, -1.5f, -1.5f, 1.5f, 1.5f, -1.5f, 1.5f, 1.5f}, 0.5f, Mixture::Noise::normal};
}

Mixture ring8() {
  Mixture mixture{2, {}, 0.01f, Mixture::Noise::normal};
  for (int mode = 0; mode < 8; ++mode) {
    const double angle = mode * std::numbers::pi / 4;
    mixture.centers.push_back(static_cast<float>(std::cos(angle)));
    mixture.centers.push_back(static_cast<float>(std::sin(angle)));
  }
  return mixture;
}

Mixture grid25() {
  Mixture mixture{2, {}, 0.05f, Mixture::Noise::normal};
  for (int x = -4; x <= 4; x += 2) {
    for (int y = -4; y <= 4; y += 2) {
      mixture.centers.push_back(static_cast<float>(x));
      mixture.centers.push_back(static_cast<float>(y));
    }
  }
  return mixture;
}

std::vector<uint32_t> sample_modes(const Mixture& mixture, int64_t n, uint64_t seed) {
  if (n < 0 || n > int64_t{1} << 32) fail<ConfigError>("{} samples, expected 0 to 2^32", n);
  std::vector<uint32_t> modes;  // [n]
  for (int64_t i = 0; i < n; ++i) {
    modes.push_back(philox_below(random_word(seed, kModeStream, i), static_cast<uint32_t>(mixture.modes())));
  }
  return modes;
}

std::vector<float> sample(const Mixture& mixture, int64_t n, uint64_t seed) {
  const std::vector<uint32_t> modes = sample_modes(mixture, n, seed);
  std::vector<float> samples(static_cast<size_t>(n * mixture.dims));  // [n, dims]
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t mode = modes[static_cast<size_t>(i)];
    for (int d = 0; d < mixture.dims; ++d) {
      const int64_t element = i * mixture.dims + d;
      const double noise = mixture.noise == Mixture::Noise::normal ? random_normal(seed, kNoiseStream, element)
                                                                   : philox_uniform(random_word(seed, kNoiseStream, element));
      const float center = mixture.centers[static_cast<size_t>(mode) * mixture.dims + d];
      samples[static_cast<size_t>(element)] = static_cast<float>(center + mixture.scale * noise);
    }
  }
  return samples;
}

}  // namespace forger
