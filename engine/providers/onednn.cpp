// The fast CPU provider, f32 only: within an op the best kernel comes first.
#include "engine/providers/onednn_tables.h"

namespace forger {

const Provider& onednn_provider() {
  static const std::vector<Kernel> kernels = [] {
    std::vector<Kernel> table = linear_kernels();
    for (Kernel& k : simd_kernels()) table.push_back(k);
    return table;
  }();
  static const Provider provider{"onednn", kernels};
  return provider;
}

}  // namespace forger
