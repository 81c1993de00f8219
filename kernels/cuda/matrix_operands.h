// A stored matrix as an operand of gemm_block: element (e, k) lies at data[e * ld + k] (k-major) or data[k * ld + e].
#pragma once

#include "kernels/cuda/gemm_tile.h"

namespace forger::FORGER_DEVICE {

struct Matrix {
  const float* data = nullptr;
  int extent = 0, k = 0;  // what lies beyond is zero
  int ld = 0;
};

template <Major kMajor, int kExtent, int kThreads, int kVec>
class MatrixLoader {
  using P = Pieces<kMajor, kExtent, kThreads, kVec>;

 public:
  __device__ __forceinline__ MatrixLoader(const Matrix& matrix, int first, int first_k)
      : matrix_(matrix), first_(first), first_k_(first_k) {}

  __device__ __forceinline__ void load(float* tile) {
#pragma unroll
    for (int i = 0; i < P::kCount; ++i) {
      const int e = first_ + (kMajor == Major::k ? P::across(i) : P::along());
      const int k = first_k_ + (kMajor == Major::k ? P::along() : P::across(i));
      const bool valid = e < matrix_.extent && k < matrix_.k;
      const int offset = !valid ? 0 : kMajor == Major::k ? e * matrix_.ld + k : k * matrix_.ld + e;
      P::copy(tile, i, matrix_.data, offset, valid);
    }
    first_k_ += kTileK;
  }

 private:
  Matrix matrix_;
  int first_, first_k_;
};

}  // namespace forger::FORGER_DEVICE
