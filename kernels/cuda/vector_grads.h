// Both gradients of a matrix times a vector in one pass over the matrix.
#pragma once

#include <cstdint>

#include "kernels/cuda/stream.h"

namespace forger::FORGER_DEVICE {

/// Of y = x w with x [m,k]: dx[i,j] = dy[i] w[j] and dw[j] = sum over i of x[i,j] dy[i]. dx may be x. m, k > 0.
void vector_product_grads(int64_t m, int64_t k, const float* x, const float* w, const float* dy, float* dx, float* dw,
                          Stream stream);

}  // namespace forger::FORGER_DEVICE
