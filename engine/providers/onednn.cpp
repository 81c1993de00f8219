// The fast CPU provider, f32 only: within an op the best kernel comes first.
#include "engine/providers/onednn_tables.h"

namespace forger {

const Provider& onednn_provider() {
  static const std::vector<Kernel> kernels = [] {
    std::vector<Kernel> table = linear_kernels();
    for (const auto& part : {library_kernels(), simd_kernels()}) table.insert(table.end(), part.begin(), part.end());
    return table;
  }();
  static const Provider provider{"onednn", kernels};
  return provider;
}

}  // namespace forger
