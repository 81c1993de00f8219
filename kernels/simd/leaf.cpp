#include "kernels/simd/leaf/leaf.h"

#include "kernels/common/isa.h"

namespace forger::simd {

namespace baseline {
Leaf make_leaf();
}
namespace avx2 {
Leaf make_leaf();
}
namespace avx512 {
Leaf make_leaf();
}

namespace {

/// The table is made once, by code of its own instruction set: only if the CPU has it.
template <Leaf make()>
const Leaf& made_once() {
  static const Leaf table = make();
  return table;
}

}  // namespace

const Leaf& leaf(Isa isa) {
  return for_isa(isa, made_once<baseline::make_leaf>, made_once<avx2::make_leaf>, made_once<avx512::make_leaf>)();
}

}  // namespace forger::simd
