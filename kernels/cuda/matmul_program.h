// A matrix times a vector and the small operations behind it in one launch: the head of a network with its loss.
#pragma once

#include <cstdint>

#include "kernels/cuda/block_program.h"

namespace forger::FORGER_DEVICE {

/// y[i] = bias + sum over k of a[i,k] b[k], i in [0, m).
struct VectorProduct {
  const float *a, *b, *bias;  // [m,k], [k], [1] or null
  float* y;                   // [m], in global memory
  int64_t m, k;
};
inline constexpr unsigned kMatmulProgramThreads = 256;  // for which the program is made

/// The product, then `program`, which may read y. counter: 0 before and after.
void matmul_program(const VectorProduct& product, const BlockProgram& program, const std::vector<void*>& addresses,
                    uint32_t* counter, Stream stream);

}  // namespace forger::FORGER_DEVICE
