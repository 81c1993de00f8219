// A convolution as cuDNN's graph interface states it, and the engines that can run it.
//
// A graph is bound to sizes and types alone; pointers come with each run. Layouts are strides: cuDNN counts the axes of
// activations as N, C, H, W and those of filters as K, C, R, S, and Forger's NHWC and KRSC are what the strides say.
// Zeros before and after the image are separate numbers there (pre- and post-padding), so an asymmetric 'same'
// convolution costs no copy.
//
// Source: NVIDIA cuDNN 9, "Graph API" and "cudnn_graph library" reference.
#pragma once

#include <optional>
#include <string>

#include "kernels/common/conv2d_shape.h"
#include "kernels/vendor/descriptor.h"
#include "kernels/vendor/maths.h"

namespace forger::vendor {

struct ConvolutionProblem {
  Direction direction = Direction::forward;
  Conv2dShape shape;
  Maths maths = Maths::fp32;

  int64_t first_size() const { return direction == Direction::input_grad ? shape.output_size() : shape.input_size(); }
  int64_t second_size() const { return direction == Direction::filter_grad ? shape.output_size() : shape.filter_size(); }
  int64_t result_size() const;
  int64_t bias_size() const { return direction == Direction::input_grad ? shape.C : shape.K; }
};

/// Why the shape cannot be stated to cuDNN, in any direction, or nothing.
std::optional<std::string> geometry_declines(const Conv2dShape& shape);

/// Names of the tensors in a run's variant pack.
enum TensorId : int64_t { kFirst = 1, kSecond = 2, kResult = 3, kBias = 4, kSums = 5 };

/// For whom engines are chosen: the GPU of a handle, or one that is only described (which needs no GPU at all).
struct EngineTarget {
  cudnnHandle_t handle = nullptr;
  const Descriptor* properties = nullptr;
};

/// The operands are bf16 for Maths::bf16, else f32; the result and the bias are always f32, and so are the sums.
/// With `bias` the graph ends with its addition, for an engine that can do both at once.
Descriptor convolution_graph(const ConvolutionProblem& problem, bool bias, const EngineTarget& target);

/// A way to run a graph that an engine has agreed to.
struct Plan {
  Descriptor descriptor;
  int64_t workspace_bytes;
  int64_t engine;  // cuDNN's number
  std::vector<cudnnBackendNumericalNote_t> notes;
};

/// At most `most` plans for the graph, the best first as cuDNN's heuristics see it: first those of mode A, then its
/// fallbacks. Left out are engines that are not deterministic, that compute in other maths than asked for (tensor cores
/// and rounded operands for fp32), that transform (FFT, Winograd), or that want more than kMostWorkspace.
std::vector<Plan> find_plans(const Descriptor& graph, Maths maths, const EngineTarget& target, int64_t most);

constexpr int64_t kMostWorkspace = int64_t{1} << 30;

}  // namespace forger::vendor
