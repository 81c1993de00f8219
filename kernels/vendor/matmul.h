// Row-major matrix product through cuBLASLt, tuned when it is made.
//
// Tensors and sums are float32. Maths: fp32 is CUBLAS_COMPUTE_32F; tf32 and bf16 are CUBLAS_COMPUTE_32F_FAST_TF32 and
// _FAST_16BF, which let the library round operands on their way to the tensor cores, in a way that it does not document.
// Split sums are allowed only with a reduction of their own (not in place), in fixed order: the same object gives the same
// bits in every run. The bias is an epilogue. Which algorithm wins may differ between two processes; see timing.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "kernels/cuda/stream.h"
#include "kernels/vendor/maths.h"

namespace forger::vendor {

/// Why cuBLASLt cannot be asked: no library, no GPU. Never throws.
std::optional<std::string> matmul_declines();

class MatmulProblem;

/// One prepared product, C = op(A) op(B) (+ bias[n]). Not for two threads at once.
class Matmul {
 public:
  /// Tries the algorithms of cuBLASLt's heuristics on memory of its own: takes time, allocates and synchronises.
  /// Throws DeviceError for what matmul_declines() would say, if no algorithm runs, or if memory is short.
  Matmul(const MatmulSides& sides, bool bias, Maths maths);
  ~Matmul();

  size_t workspace_bytes() const;
  /// "heuristics' number 2, 12.3 us, best of 8": for benchmarks.
  const std::string& choice() const;

  /// Queues on the stream; allocates nothing and waits for nothing, so it can be captured. Throws DeviceError.
  /// Pointers aligned to 64 bytes; `bias` is null without one; c may not overlap the others.
  void run(const float* a, const float* b, const float* bias, float* c, void* workspace, Stream stream);

 private:
  struct Algorithm;
  std::unique_ptr<MatmulProblem> problem_;
  std::unique_ptr<Algorithm> algorithm_;
  std::string choice_;
};

}  // namespace forger::vendor
