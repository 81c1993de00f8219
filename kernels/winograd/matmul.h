// Row-major matrix product with the kernel that multiplies Winograd's frequencies: for builds without oneDNN.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/isa.h"
#include "kernels/winograd/tile_kernels.h"

namespace forger::winograd {

/// C[m,n] = op(A)[m,k] op(B)[k,n] (+ bias[n]), float32, row-major. A transposed operand is stored as [k,m] or [n,k].
/// The contract of workspace and determinism is that of the convolutions (conv2d.h); results do not depend on the number of
/// threads.
class MatMul {
 public:
  MatMul(int64_t m, int64_t n, int64_t k, bool trans_a, bool trans_b, bool bias, Isa isa = best_isa());
  std::size_t workspace_bytes() const;
  void run(const float* a, const float* b, const float* bias, float* c, void* workspace) const;

 private:
  int64_t m_, n_, k_;
  bool trans_a_, trans_b_, bias_;
  const WinogradKernels* kernels_;
  int threads_;
};

}  // namespace forger::winograd
