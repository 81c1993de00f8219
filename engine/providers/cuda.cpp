// The provider of the hand-written CUDA kernels, f32 only: within an op the best kernel comes first.
#include "engine/providers/cuda_tables.h"

namespace forger::FORGER_DEVICE {

const Provider& provider() {
  static const std::vector<Kernel> kernels = [] {
    std::vector<Kernel> table = gemm_kernels();
    for (const auto& more : {pointwise_kernels(), training_kernels(), layer_grads_kernels(), column_kernels()})
      table.insert(table.end(), more.begin(), more.end());
    return table;
  }();
  constexpr std::string_view kName = FORGER_DEVICE_NAME;
  static const Provider provider{kName, kernels, kName == "cuda" ? Provider::Place::gpu : Provider::Place::emulator};
  return provider;
}

}  // namespace forger::FORGER_DEVICE
