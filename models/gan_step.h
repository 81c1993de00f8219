// The graph of one training step (D's updates, then G's) and the graph that samples.
#pragma once

#include "models/real_data.h"
#include "models/recipe.h"

namespace forger {

/// One training step. Inputs: "data" (data.table) and, if the GAN is conditional, "labels" (data.label_table). Outputs,
/// all scalars: "d_loss", "d_accuracy", "g_loss", "d_real" (mean D(x)), "d_fake" (mean D(G(z))), and where there is one
/// "gradient_penalty" (weighted; not part of d_loss) or "convergence" (BEGAN's measure). Variables: "rng/seed",
/// "rng/step" and those of the networks "G" and "D", their optimizers and the methods. docs/methods.md tells of the
/// methods. Throws ConfigError where options contradict each other.
///
/// In G's update D normalises with batch statistics and drops out as in its own, but its weights and running
/// statistics stay as they are: what Keras did with a frozen D.
Graph build_train_step(const Recipe& recipe, const Config& config, const RealData& data, DType real = DType::f32);

/// Inference-mode G (with the option "ema" its average) on given noise. Input "z" [count, z-dim] and, if conditional,
/// "labels" [count, classes], one-hot; output "samples" [count, sample...].
Graph build_sampler(const Recipe& recipe, const Config& config, const Shape& sample, int64_t count);

/// Inference-mode D. Input "samples" [count, sample...]; output "d" [count, 1]: sigmoid(logits), or D's own output where
/// the loss takes it as it is (discriminator_output). Throws ConfigError for a D that needs packs or classes.
Graph build_critic(const Recipe& recipe, const Config& config, const Shape& sample, int64_t count);

/// Latent noise [count, z-dim] for a sampler, on the host: a function of (seed, stream) alone.
std::vector<float> latent_noise(const Config& config, int64_t count, uint64_t seed, const std::string& stream);

/// Rows of both networks' layers, for `forger summary`; a classifier's are in the second place. The shape is of one sample.
struct NetworkSummary {
  Shape input;
  std::vector<LayerRow> rows;
  int64_t trainable, not_trainable;
};
std::pair<NetworkSummary, NetworkSummary> summarize(const Recipe& recipe, const Config& config, const Shape& sample);

}  // namespace forger
