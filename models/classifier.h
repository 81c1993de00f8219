// The classifier of images in ten classes, whose features and probabilities the evaluation works on.
#pragma once

#include "models/real_data.h"
#include "models/recipe.h"

namespace forger {

inline constexpr int64_t kNumClasses = 10;
inline constexpr int64_t kNumFeatures = 64;

/// images [N,H,W,C] -> logits [N,10]: conv 16 5x5, pool, conv 32 5x5, pool, dense 64, dropout, dense 10, all with ReLU; after
/// LeCun et al. 1998, "Gradient-based learning applied to document recognition". ShapeError unless 4 divides H and W.
Value classifier_logits(Network& network, Value images, const ForwardPass& pass);

/// One step of training. Inputs: "data" (data.table), "labels" i32 [rows]. Outputs: "loss" (cross-entropy, nats), the batch's
/// "logits" [batch,10] and "labels" [batch]. Variables: "rng/seed", "rng/step", those of the network "C" and its optimizer.
Graph build_classifier_step(const Config& config, const RealData& data);

/// Inference. Input "images" [count, sample...] in [-1, 1]; outputs "features" [count,64], what follows the ReLU of the
/// first dense layer, and "probabilities" [count,10].
Graph build_classifier(const Shape& sample, int64_t count);

}  // namespace forger
