#include "kernels/vendor/matmul.h"

#include <vector>

#include "kernels/common/errors.h"
#include "kernels/vendor/matmul_problem.h"
#include "kernels/vendor/timing.h"

namespace forger::vendor {
namespace {

constexpr size_t kMostWorkspaceBytes = size_t{32} << 20;  // what cuBLAS recommends for Hopper
constexpr size_t kAlign = 256;                            // of the workspace
constexpr int kMostAlgorithms = 8;

void* aligned(void* workspace) {
  return reinterpret_cast<void*>((reinterpret_cast<size_t>(workspace) + kAlign - 1) / kAlign * kAlign);
}

}  // namespace

struct Matmul::Algorithm {
  cublasLtMatmulHeuristicResult_t result;

  size_t workspace_bytes() const { return result.workspaceSize == 0 ? 0 : result.workspaceSize + kAlign; }
  void run(MatmulProblem& problem, const float* a, const float* b, const float* bias, float* c, void* workspace,
           Stream stream) const {
    const float one = 1, zero = 0;
    if (bias) problem.bind_bias(bias);
    FORGER_CUBLAS_LT_CHECK(Matmul(cublas_lt_handle(), problem.operation(), &one, b, problem.b(), a, problem.a(), &zero, c,
                                  problem.c(), c, problem.c(), &result.algo, aligned(workspace), result.workspaceSize, stream));
  }
};

std::optional<std::string> matmul_declines() {
  try {
    if (!cublas_lt().missing.empty()) return cublas_lt().missing;
    return missing_gpu();
  } catch (const std::exception& e) {
    return e.what();
  }
}

Matmul::Matmul(const MatmulSides& s, bool bias, Maths maths) {
  if (const auto reason = matmul_declines()) fail<DeviceError>("cuBLASLt: {}", *reason);
  problem_ = std::make_unique<MatmulProblem>(s, bias, maths);
  const auto bytes = [](int64_t elements) { return sizeof(float) * static_cast<size_t>(elements); };
  const Scratch a(bytes(s.m * s.k)), b(bytes(s.k * s.n)), c(bytes(s.m * s.n)), bias_data(bytes(s.n));
  const float* const bias_pointer = bias ? bias_data.as<float>() : nullptr;
  if (bias) problem_->bind_bias(bias_pointer);  // the heuristics read its alignment

  std::vector<cublasLtMatmulHeuristicResult_t> results(kMostAlgorithms);
  int found = 0;
  const cublasStatus_t status = cublas_lt().MatmulAlgoGetHeuristic(
      cublas_lt_handle(), problem_->operation(), problem_->b(), problem_->a(), problem_->c(), problem_->c(),
      MatmulPreference(kMostWorkspaceBytes).get(), kMostAlgorithms, results.data(), &found);
  if (status != CUBLAS_STATUS_SUCCESS) fail_cublas_lt(status, "cublasLtMatmulAlgoGetHeuristic", __FILE__, __LINE__);
  std::vector<Algorithm> algorithms;
  size_t workspace = 0;
  for (int i = 0; i < found; ++i) {
    if (results[i].state != CUBLAS_STATUS_SUCCESS) continue;
    algorithms.push_back({results[i]});
    workspace = std::max(workspace, algorithms.back().workspace_bytes());
  }
  if (algorithms.empty()) {
    fail<DeviceError>("cuBLASLt has no algorithm for [{},{}] x [{},{}]; leave out the provider vendor", s.m, s.k, s.k, s.n);
  }
  const Scratch work(workspace);
  std::vector<std::function<void(Stream)>> candidates;
  for (const Algorithm& algorithm : algorithms) {
    candidates.push_back([&](Stream stream) {
      algorithm.run(*problem_, a.as<float>(), b.as<float>(), bias_pointer, c.as<float>(), work.as<void>(), stream);
    });
  }
  const Fastest best = fastest(candidates);
  algorithm_ = std::make_unique<Algorithm>(algorithms[best.index]);
  choice_ = fmt::format("heuristics' number {}, {:.1f} us, best of {}", best.index, best.microseconds, algorithms.size());
}

Matmul::~Matmul() = default;

size_t Matmul::workspace_bytes() const {
  return algorithm_->workspace_bytes();
}

const std::string& Matmul::choice() const {
  return choice_;
}

void Matmul::run(const float* a, const float* b, const float* bias, float* c, void* workspace, Stream stream) {
  algorithm_->run(*problem_, a, b, bias, c, workspace, stream);
}

}  // namespace forger::vendor
