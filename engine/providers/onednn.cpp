// The fast CPU provider, f32 only: within an op the best kernel comes first.
#include "engine/providers/onednn_tables.h"

namespace forger {

std::optional<std::string> needs_f32(const NodeView& node) {
  if (node.real() == DType::f32) return std::nullopt;
  return std::string("real numbers are ") + name_of(node.real()) + ", expected f32";
}

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
