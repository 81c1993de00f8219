// Row-major matrix product through oneDNN: the dense layer and its gradients.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/onednn/pieces.h"
#include "kernels/onednn/primitive.h"

namespace forger::onednn {

/// C[m,n] = op(A)[m,k] op(B)[k,n] (+ bias[n]), float32, row-major. A transposed operand is stored as [k,m] or [n,k].
/// The contract of workspace, threads and determinism is that of the convolutions (conv2d.h).
class MatMul {
 public:
  MatMul(int64_t m, int64_t n, int64_t k, bool trans_a, bool trans_b, bool bias);
  std::size_t workspace_bytes() const;
  void run(const float* a, const float* b, const float* bias, float* c, void* workspace);

 private:
  bool bias_, by_rows_;
  Split cut_;                         // of C's rows or columns, whichever are more
  int64_t a_step_, b_step_, c_step_;  // elements from one row or column of the cut to the next
  int threads_;
  std::vector<Primitive> primitives_;  // by kind_of()
};

}  // namespace forger::onednn
