// A trained generator as an ONNX model.
#pragma once

#include <string>

#include "engine/graph/graph.h"
#include "training/checkpoint.h"

namespace forger {

/// The bytes of an ONNX model (opset 13) of the checkpoint's generator (with the option "ema" its average) in inference mode.
/// Input "z" [N, z-dim], any N, and for a conditional generator "labels" [N, classes], one-hot rows; output "images" [N, C, H, W] in [-1, 1], or "samples" [N, D] for points. sample: the shape of one sample, as Forger has
/// it (H, W, C). Nothing in it depends on time or place. Throws ConfigError for an op that has no ONNX form here, DataError
/// if the checkpoint lacks a weight.
/// Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto and docs/Operators.md
std::string onnx_generator(const Checkpoint& checkpoint, const Shape& sample);

}  // namespace forger
