// The parts of `forger eval`, by kind of sample.
#pragma once

#include "cli/eval_report.h"
#include "datasets/sample_file.h"
#include "engine/runtime/backend.h"

namespace forger {

struct EvalArguments {
  std::string run, samples, data, classifier, distribution, format = "text", device = "auto";
  int64_t count = 0;  // 0: as the protocol of the kind says
  int64_t channels = 1;
};

/// The evaluation's own noise: the same for every run, whatever its seed.
inline constexpr uint64_t kEvalSeed = 0;
inline constexpr const char* kEvalStream = "eval/z";

/// Grey images of ten classes against --data's test images.
EvalReport eval_digits(const ImageSamples& images, const std::string& name, const EvalArguments& a, EvalProgress& progress);
/// Three digits as the channels of one image.
EvalReport eval_stacked(const ImageSamples& images, const std::string& name, const EvalArguments& a, EvalProgress& progress);
/// How often the classifier itself is right.
EvalReport eval_classifier(const std::string& path, const EvalArguments& a, EvalProgress& progress);
/// Points of a synthetic distribution, [n, dims].
EvalReport eval_points(const SampleArray& points, const std::string& name, const EvalArguments& a);

}  // namespace forger
