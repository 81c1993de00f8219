// Matrix products with one column, or a reduction of length one: a head with one logit and its gradients. Plain fp32.
#pragma once

#include "kernels/cuda/matmul.h"

namespace forger::FORGER_DEVICE {

/// Why a product is declined (a static string); null if it is not.
const char* matmul_narrow_declines(const MatmulShape& s);

/// c = epilogue(op(a) op(b) + bias); bias: [n] or null. Throws DeviceError if CUDA refuses the launch.
void matmul_narrow(const MatmulShape& s, const float* a, const float* b, const float* bias, float* c, Stream stream,
                   const EpilogueArgs& epilogue = {});

}  // namespace forger::FORGER_DEVICE
