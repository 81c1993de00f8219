#include "training/latent_walk.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/errors.h"

namespace forger {
namespace {

std::vector<float> combined(std::span<const float> a, double share_a, std::span<const float> b, double share_b) {
  std::vector<float> z(a.size());
  for (size_t i = 0; i < z.size(); ++i)
    z[i] = static_cast<float>(share_a * static_cast<double>(a[i]) + share_b * static_cast<double>(b[i]));
  return z;
}

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

}  // namespace

std::vector<float> lerp(std::span<const float> a, std::span<const float> b, double t) {
  return combined(a, 1 - t, b, t);
}

std::vector<float> slerp(std::span<const float> a, std::span<const float> b, double t) {
  const double lengths = std::sqrt(dot(a, a) * dot(b, b));
  if (lengths == 0) return lerp(a, b, t);
  const double angle = std::acos(std::clamp(dot(a, b) / lengths, -1.0, 1.0)), sine = std::sin(angle);
  if (sine < 1e-6) return lerp(a, b, t);
  return combined(a, std::sin((1 - t) * angle) / sine, b, std::sin(t * angle) / sine);
}

std::vector<float> latent_walk(std::span<const float> keys, int64_t dim, int64_t steps, bool spherical) {
  if (dim < 1 || steps < 1 || keys.empty() || keys.size() % static_cast<size_t>(dim) != 0)
    fail<ShapeError>("latent_walk: {} values are no rows of {}", keys.size(), dim);
  const size_t width = static_cast<size_t>(dim), n = keys.size() / width;
  std::vector<float> path;
  for (size_t k = 0; k < n; ++k) {
    const auto a = keys.subspan(k * width, width), b = keys.subspan((k + 1) % n * width, width);
    for (int64_t s = 0; s < steps; ++s) {
      const double t = static_cast<double>(s) / static_cast<double>(steps);
      const auto z = spherical ? slerp(a, b, t) : lerp(a, b, t);
      path.insert(path.end(), z.begin(), z.end());
    }
  }
  return path;
}

}  // namespace forger
