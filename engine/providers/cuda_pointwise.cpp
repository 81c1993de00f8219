// Elementwise ops, reductions and data movement of the CUDA provider.
#include "engine/providers/adapters.h"
#include "engine/providers/cuda_tables.h"

namespace forger::FORGER_DEVICE {

std::vector<Kernel> pointwise_kernels() {
  return {};
}

}  // namespace forger::FORGER_DEVICE
