// Matrix products in all four combinations of transposes. Row-major f32, aligned to 16 bytes.
#pragma once

#include "kernels/cuda/epilogue_args.h"
#include "kernels/cuda/gemm_plan.h"

namespace forger::FORGER_DEVICE {

/// c[m,n] = op(a)[m,k] op(b)[k,n]; a is stored [k,m] if transposed, b [n,k].
struct MatmulShape {
  int64_t m, n, k;
  bool transpose_a, transpose_b;
};

GemmSize matmul_size(const MatmulShape& s);
/// Whether 16-byte copies suit the operands.
bool matmul_vectors(const MatmulShape& s);

/// c = epilogue(op(a) op(b) + bias); bias: [n] or null. The plan comes from plan_gemm, scratch is what it needs.
/// Throws DeviceError if CUDA refuses a launch.
void matmul(const MatmulShape& s, Arithmetic arithmetic, const GemmPlan& plan, const float* a, const float* b, const float* bias,
            float* c, const GemmScratch& scratch, Stream stream, const EpilogueArgs& epilogue = {});

}  // namespace forger::FORGER_DEVICE
