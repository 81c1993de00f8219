// The rows of the CUDA provider, by family. These tables are compiled twice, as the kernels that they name: for the
// GPU (namespace cuda) and for the emulator (namespace emulated).
#pragma once

#include "engine/providers/provider.h"

namespace forger::FORGER_DEVICE {

/// Convolutions and matrix products.
std::vector<Kernel> gemm_kernels();
/// Elementwise ops, reductions and everything that only moves data.
std::vector<Kernel> pointwise_kernels();
/// Batch norm, losses, optimizers, random numbers.
std::vector<Kernel> training_kernels();

}  // namespace forger::FORGER_DEVICE
