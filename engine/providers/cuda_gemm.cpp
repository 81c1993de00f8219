// Convolutions and matrix products of the CUDA provider.
#include "engine/providers/adapters.h"
#include "engine/providers/cuda_tables.h"

namespace forger::FORGER_DEVICE {

std::vector<Kernel> gemm_kernels() {
  return {};
}

}  // namespace forger::FORGER_DEVICE
