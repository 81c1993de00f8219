#include "kernels/vendor/conv2d.h"

#include <array>

#include "kernels/common/errors.h"
#include "kernels/cuda/vendor_glue.h"
#include "kernels/vendor/convolution_graph.h"
#include "kernels/vendor/timing.h"

namespace forger::vendor {
namespace {

constexpr size_t kAlign = 256;

size_t round_up(size_t bytes) {
  return (bytes + kAlign - 1) / kAlign * kAlign;
}

}  // namespace

/// One plan with what has to be done before and after it.
struct Convolution::Way {
  ConvolutionProblem problem;  // with the maths of this plan
  bool bias, fuses_bias;
  Plan plan;

  // The variant pack of the last run: cuDNN cannot change a finalised one, and making one costs a few microseconds, so it
  // is made again only when a pointer is new. In a training step none ever is.
  std::optional<Descriptor> pack = std::nullopt;
  std::array<void*, 5> bound = {};

  bool rounds() const { return problem.maths == Maths::bf16; }
  size_t first_bytes() const { return rounds() ? round_up(2 * static_cast<size_t>(problem.first_size())) : 0; }
  size_t second_bytes() const { return rounds() ? round_up(2 * static_cast<size_t>(problem.second_size())) : 0; }
  /// [first as bf16 | second as bf16 | cuDNN's], from the first address that is a multiple of kAlign.
  size_t workspace_bytes() const {
    const size_t used = first_bytes() + second_bytes() + static_cast<size_t>(plan.workspace_bytes);
    return used == 0 ? 0 : used + kAlign;
  }

  void run(const float* first, const float* second, const float* bias_data, float* result, void* workspace, Stream stream);
  void bind(const std::array<void*, 5>& pointers);
};

void Convolution::Way::bind(const std::array<void*, 5>& pointers) {
  if (pack && bound == pointers) return;
  const int64_t ids[] = {kFirst, kSecond, kResult, kBias};
  const size_t tensors = fuses_bias ? 4 : 3;
  pack.emplace(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack->set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::span<const int64_t>(ids, tensors));
  pack->set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, std::span<void* const>(pointers.data(), tensors));
  pack->set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, pointers[4]);
  pack->finalize();
  bound = pointers;
}

void Convolution::Way::run(const float* first, const float* second, const float* bias_data, float* result, void* workspace,
                           Stream stream) {
  char* const base = reinterpret_cast<char*>(round_up(reinterpret_cast<size_t>(workspace)));
  void *a = const_cast<float*>(first), *b = const_cast<float*>(second);
  if (rounds()) {
    auto *a16 = reinterpret_cast<uint16_t*>(base), *b16 = reinterpret_cast<uint16_t*>(base + first_bytes());
    cuda::round_to_bf16(first, problem.first_size(), a16, second, problem.second_size(), b16, stream);
    a = a16;
    b = b16;
  }
  bind({a, b, result, const_cast<float*>(bias_data), base + first_bytes() + second_bytes()});
  {
    CudnnHandle& handle = cudnn_handle();
    const std::lock_guard lock(handle.busy);
    FORGER_CUDNN_CHECK(SetStream(handle.handle, stream));
    FORGER_CUDNN_CHECK(BackendExecute(handle.handle, plan.descriptor.get(), pack->get()));
  }
  if (bias && !fuses_bias) {
    cuda::add_bias_in_place(result, bias_data, problem.result_size() / problem.bias_size(), problem.bias_size(), stream);
  }
}

std::optional<std::string> convolution_declines(const Conv2dShape& shape) {
  try {
    if (auto reason = geometry_declines(shape)) return reason;
    if (!cudnn().missing.empty()) return cudnn().missing;
    return missing_gpu();
  } catch (const std::exception& e) {
    return e.what();
  }
}

Convolution::Convolution(Direction direction, const Conv2dShape& shape, bool bias, Maths maths) {
  constexpr int64_t kMostFused = 6, kMostPlain = 8, kMostBeside = 3;
  if (const auto reason = convolution_declines(shape)) fail<DeviceError>("cuDNN: {}", *reason);
  const EngineTarget target{.handle = cudnn_handle().handle};
  std::vector<Way> ways;
  const auto add = [&](Maths m, bool fused, int64_t most) {
    const ConvolutionProblem problem{direction, shape, m};
    for (Plan& plan : find_plans(convolution_graph(problem, fused, target), m, target, most)) {
      ways.push_back({problem, bias, fused, std::move(plan)});
    }
  };
  if (bias) add(maths, true, kMostFused);
  add(maths, false, bias ? kMostBeside : kMostPlain);
  if (maths == Maths::bf16) {
    if (bias) add(Maths::tf32, true, kMostBeside);
    add(Maths::tf32, false, kMostBeside);
  }
  if (ways.empty()) fail<DeviceError>("cuDNN has no deterministic engine for this convolution; leave out the provider vendor");

  size_t workspace = 0;
  for (const Way& way : ways) workspace = std::max(workspace, way.workspace_bytes());
  const ConvolutionProblem& p = ways.front().problem;
  const auto bytes = [](int64_t elements) { return sizeof(float) * static_cast<size_t>(elements); };
  const Scratch first(bytes(p.first_size())), second(bytes(p.second_size())), result(bytes(p.result_size())),
      bias_data(bytes(p.bias_size())), work(workspace);
  std::vector<std::function<void(Stream)>> candidates;
  for (Way& way : ways) {
    candidates.push_back([&](Stream stream) {
      way.run(first.as<float>(), second.as<float>(), bias_data.as<float>(), result.as<float>(), work.as<void>(), stream);
    });
  }
  const Fastest best = fastest(candidates);
  way_ = std::make_unique<Way>(std::move(ways[best.index]));
  choice_ = fmt::format("engine {}{}{}, {:.1f} us, best of {}", way_->plan.engine, way_->rounds() ? " on bf16" : "",
                        bias && !way_->fuses_bias ? ", then the bias" : "", best.microseconds, ways.size());
}

Convolution::~Convolution() = default;

size_t Convolution::workspace_bytes() const {
  return way_->workspace_bytes();
}

const std::string& Convolution::choice() const {
  return choice_;
}

void Convolution::run(const float* first, const float* second, const float* bias, float* result, void* workspace, Stream stream) {
  way_->run(first, second, bias, result, workspace, stream);
}

}  // namespace forger::vendor
