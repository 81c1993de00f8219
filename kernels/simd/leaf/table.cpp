#include "kernels/simd/leaf/parts.h"

namespace forger::simd::FORGER_ISA {

Leaf make_leaf() {
  Leaf leaf = {};
  add_elementwise(leaf);
  add_reduce(leaf);
  add_batch_norm(leaf);
  add_optimizers(leaf);
  add_random(leaf);
  add_gather(leaf);
  add_loss(leaf);
  return leaf;
}

}  // namespace forger::simd::FORGER_ISA
