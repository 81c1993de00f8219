// Samples of a generator, and the pictures of them that a run keeps.
#pragma once

#include <memory>

#include "engine/runtime/backend.h"
#include "engine/runtime/session.h"
#include "models/gan_step.h"

namespace forger {

/// rows x columns of a "4x8" option. Throws ConfigError.
struct Grid {
  int64_t rows, columns;
};
Grid parse_grid(const std::string& text, const std::string& option);

/// Makes samples from a store's generator, inference mode, in chunks of a fixed size.
class Sampler {
 public:
  Sampler(const Recipe& recipe, const Config& config, const Shape& sample, const Backend& backend, VariableStore& variables);

  /// [z.size() / z-dim, sample...] from the given latent noise. A conditional generator makes the given classes, one per
  /// sample, or 0, 1, ... in turn if none are given.
  std::vector<float> operator()(const std::vector<float>& z, std::vector<int64_t> labels = {});

 private:
  int64_t z_dim_, chunk_, sample_size_, classes_;
  std::vector<float> z_, one_hot_;  // of one chunk
  Session session_;
};

/// The pictures of a run: reals.png once, then fakes-STEP.png from noise that stays the same.
class PictureBook {
 public:
  PictureBook(const Recipe& recipe, const Config& config, const RealData& data, const Backend& backend, VariableStore& variables);

  void write_reals(const std::string& path) const;
  /// What reals.png shows: [n, sample...], images in [-1, 1] or points.
  const std::vector<float>& reals() const { return reals_; }
  /// Draws the current generator's samples. Returns them, [count, sample...].
  std::vector<float> write_fakes(const std::string& path);

  /// For points on a line: KL(real || fake) of the current generator; none for other recipes.
  std::optional<double> kl();

 private:
  const Recipe& recipe_;
  Shape sample_;
  Grid grid_{4, 8};
  std::vector<float> reals_;     // what reals.png shows: images in [-1, 1] or points
  std::vector<float> z_;         // fixed noise
  std::vector<int64_t> labels_;  // of a conditional run: one class per column
  Sampler sampler_;
};

}  // namespace forger
