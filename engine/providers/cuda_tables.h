// The rows of the CUDA provider, by family. These tables are compiled twice, as the kernels that they name: for the
// GPU (namespace cuda) and for the emulator (namespace emulated).
#pragma once

#include "engine/providers/provider.h"
#include "kernels/cuda/gemm_plan.h"
#include "kernels/cuda/tape_source.h"

namespace forger::FORGER_DEVICE {

/// Convolutions and matrix products.
std::vector<Kernel> gemm_kernels();
/// The gradients of a layer, side by side.
std::vector<Kernel> layer_grads_kernels();
/// Convolutions with the batch norm behind them, and what runs programs that no other kernel does: the last of its op.
std::vector<Kernel> column_kernels();
/// Elementwise ops, reductions and everything that only moves data.
std::vector<Kernel> pointwise_kernels();
/// Batch norm, losses, optimizers, random numbers.
std::vector<Kernel> training_kernels();

/// Where a tape with dropout has its seed and step: in the node's last two inputs. Nowhere for other tapes.
inline TapeSource tape_source(const ElementwiseTape& tape, const KernelArgs& a) {
  if (!draws_random(tape)) return {};
  return {a.in<uint64_t>(a.inputs.size() - 2), a.in<int64_t>(a.inputs.size() - 1)};
}

}  // namespace forger::FORGER_DEVICE
