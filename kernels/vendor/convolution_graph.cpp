#include "kernels/vendor/convolution_graph.h"

#include <algorithm>
#include <array>

#include "kernels/common/errors.h"

namespace forger::vendor {
namespace {

using Axes = std::array<int64_t, 4>;

/// Sizes and strides in cuDNN's order of axes for a tensor whose memory order is [a, b, c, channels].
struct Layout {
  Axes size, stride;
};
Layout channels_last(int64_t a, int64_t b, int64_t c, int64_t channels) {
  return {{a, channels, b, c}, {b * c * channels, 1, c * channels, channels}};
}
Layout input_of(const Conv2dShape& s) {
  return channels_last(s.N, s.H, s.W, s.C);
}
Layout filter_of(const Conv2dShape& s) {
  return channels_last(s.K, s.R, s.S, s.C);
}
Layout output_of(const Conv2dShape& s) {
  return channels_last(s.N, s.P, s.Q, s.K);
}
Layout result_of(const ConvolutionProblem& p) {
  return p.direction == Direction::forward      ? output_of(p.shape)
         : p.direction == Direction::input_grad ? input_of(p.shape)
                                                : filter_of(p.shape);
}

Descriptor tensor(TensorId id, cudnnDataType_t type, const Layout& layout, bool is_virtual = false) {
  constexpr int64_t kAlignment = 16;  // bytes; the widest load of any engine
  Descriptor d(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  d.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, static_cast<int64_t>(id));
  d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, type);
  d.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, kAlignment);
  d.set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::span<const int64_t>(layout.size));
  d.set(CUDNN_ATTR_TENSOR_STRIDES, std::span<const int64_t>(layout.stride));
  if (is_virtual) d.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, true);  // stays inside the engine
  return std::move(d.finalize());
}

Descriptor convolution(const Conv2dShape& s) {
  const int64_t before[] = {s.pad_top, s.pad_left}, after[] = {s.pad_bottom(), s.pad_right()};
  const int64_t stride[] = {s.stride_h, s.stride_w}, dilation[] = {1, 1};
  Descriptor d(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  d.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2});
  d.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  d.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
  d.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, std::span<const int64_t>(before));
  d.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, std::span<const int64_t>(after));
  d.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, std::span<const int64_t>(stride));
  d.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, std::span<const int64_t>(dilation));
  return std::move(d.finalize());
}

/// The attributes of a convolution's operation, which cuDNN names differently in each direction.
struct OperationNames {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t convolution, first, second, result, alpha, beta;
};
OperationNames names_of(Direction direction) {
  switch (direction) {
    case Direction::forward:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case Direction::input_grad:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    default:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
  }
}

Descriptor convolution_operation(const ConvolutionProblem& p, const Descriptor& result) {
  const Conv2dShape& s = p.shape;
  const auto type = p.maths == Maths::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
  const OperationNames names = names_of(p.direction);
  Descriptor d(names.type);
  d.set(names.convolution, convolution(s));
  d.set(names.first, tensor(kFirst, type, p.direction == Direction::input_grad ? output_of(s) : input_of(s)));
  d.set(names.second, tensor(kSecond, type, p.direction == Direction::filter_grad ? output_of(s) : filter_of(s)));
  d.set(names.result, result);
  d.set(names.alpha, 1.f).set(names.beta, 0.f);
  return std::move(d.finalize());
}

/// to = from + bias, or to = from.
Descriptor pointwise_operation(const ConvolutionProblem& p, bool bias, const Descriptor& from, const Descriptor& to) {
  Descriptor pointwise(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  pointwise.set(CUDNN_ATTR_POINTWISE_MODE, bias ? CUDNN_POINTWISE_ADD : CUDNN_POINTWISE_IDENTITY);
  pointwise.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT).finalize();
  Descriptor d(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  d.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, pointwise);
  d.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, from);
  if (bias) {
    d.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, tensor(kBias, CUDNN_DATA_FLOAT, channels_last(1, 1, 1, p.bias_size())));
  }
  d.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, to);
  return std::move(d.finalize());
}

Descriptor graph_of(std::vector<Descriptor> operations, const EngineTarget& target) {
  Descriptor d(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  if (target.handle) d.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, target.handle);
  d.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations);
  return std::move(d.finalize());
}

/// What the heuristics of one mode suggest, best first; none if they do not know the graph.
std::vector<Descriptor> engine_configs(const Descriptor& graph, cudnnBackendHeurMode_t mode, const EngineTarget& target) {
  constexpr int64_t kMost = 32;
  Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph).set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  if (target.properties) heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *target.properties);
  if (!heuristics.try_finalize()) return {};
  return heuristics.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, kMost);
}

bool wanted(const std::vector<cudnnBackendNumericalNote_t>& notes, Maths maths) {
  return std::none_of(notes.begin(), notes.end(), [&](cudnnBackendNumericalNote_t note) {
    switch (note) {
      case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
      case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
      case CUDNN_NUMERICAL_NOTE_FFT:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13:
        return true;
      case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
      case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
        return maths == Maths::fp32;
      default:
        return false;
    }
  });
}

}  // namespace

int64_t ConvolutionProblem::result_size() const {
  const Axes size = result_of(*this).size;
  return size[0] * size[1] * size[2] * size[3];
}

std::optional<std::string> geometry_declines(const Conv2dShape& s) {
  if (s.pad_top < 0 || s.pad_left < 0) return "cuDNN takes no negative padding";
  // cuDNN derives the output's size from the input's; a smaller one cannot be stated.
  const int64_t p = (s.H + s.pad_top + s.pad_bottom() - s.R) / s.stride_h + 1;
  const int64_t q = (s.W + s.pad_left + s.pad_right() - s.S) / s.stride_w + 1;
  if (p != s.P || q != s.Q) {
    return fmt::format("cuDNN computes every output that fits, {}x{}; {}x{} were asked for", p, q, s.P, s.Q);
  }
  return std::nullopt;
}

Descriptor convolution_graph(const ConvolutionProblem& p, bool bias, const EngineTarget& target) {
  const Layout layout = result_of(p);
  const Descriptor result = tensor(kResult, CUDNN_DATA_FLOAT, layout);
  std::vector<Descriptor> operations;
  // No engine writes the f32 sums of bf16 products unless an operation follows that reads them, if only to copy them.
  if (bias || p.maths == Maths::bf16) {
    const Descriptor sums = tensor(kSums, CUDNN_DATA_FLOAT, layout, true);
    operations.push_back(convolution_operation(p, sums));
    operations.push_back(pointwise_operation(p, bias, sums, result));
  } else {
    operations.push_back(convolution_operation(p, result));
  }
  return graph_of(std::move(operations), target);
}

std::vector<Plan> find_plans(const Descriptor& graph, Maths maths, const EngineTarget& target, int64_t most) {
  constexpr int64_t kMostNotes = 32;
  std::vector<Plan> plans;
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    for (const Descriptor& config : engine_configs(graph, mode, target)) {
      if (std::ssize(plans) == most) return plans;
      const auto engine = config.get(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1);
      auto notes = engine.at(0).get<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, kMostNotes);
      if (!wanted(notes, maths)) continue;
      Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
      if (target.handle) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, target.handle);
      if (target.properties) plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *target.properties);
      plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
      if (!plan.try_finalize()) continue;
      const int64_t workspace = plan.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, 1).at(0);
      if (workspace > kMostWorkspace) continue;
      const int64_t number = engine.at(0).get<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, 1).at(0);
      plans.push_back({std::move(plan), workspace, number, std::move(notes)});
    }
  }
  return plans;
}

}  // namespace forger::vendor
