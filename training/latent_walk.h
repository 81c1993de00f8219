// Paths through latent space.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace forger {

/// From a to b along the great circle, t in [0, 1]: lengths in between are those of normal noise, where a straight line would
/// pass close to the origin. Falls back to the line for vectors that are (nearly) parallel. Shoemake 1985; White, "Sampling
/// generative networks", 2016.
std::vector<float> slerp(std::span<const float> a, std::span<const float> b, double t);

/// The straight line, for noise that is uniform in a box.
std::vector<float> lerp(std::span<const float> a, std::span<const float> b, double t);

/// A closed path through `keys` [n, dim], `steps` frames from each key to the next and from the last to the first:
/// [n * steps, dim]. Throws ShapeError if the values are no whole rows.
std::vector<float> latent_walk(std::span<const float> keys, int64_t dim, int64_t steps, bool spherical);

}  // namespace forger
