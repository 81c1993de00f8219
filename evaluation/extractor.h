// Runs the classifier over images: features, probabilities, accuracy.
#pragma once

#include <functional>
#include <vector>

#include "engine/runtime/backend.h"
#include "engine/runtime/session.h"
#include "engine/runtime/variable_store.h"

namespace forger {

/// What the classifier says of n images.
struct Classified {
  int64_t count = 0;
  std::vector<float> features;       // [count, 64], after the ReLU
  std::vector<float> probabilities;  // [count, 10]

  /// The most probable class of every image.
  std::vector<uint8_t> classes() const;
};

/// Called with how many images are done.
using Progress = std::function<void(int64_t done)>;

class Extractor {
 public:
  /// The classifier's variables are taken from the store (or added to it, to be filled later). `sample` is [H,W,C].
  Extractor(const Shape& sample, const Backend& backend, VariableStore& variables);

  /// pixels: bytes [count, H, W, C], which become -1 ... 1 as in training. Throws ShapeError if there is part of an image.
  Classified operator()(std::span<const uint8_t> pixels, const Progress& progress = {});

 private:
  int64_t sample_size_;
  std::vector<float> images_;  // of one chunk
  Session session_;
};

/// Share of images whose most probable class is their label. Throws ShapeError if there are not as many of both.
double accuracy(const Classified& images, std::span<const uint8_t> labels);

}  // namespace forger
