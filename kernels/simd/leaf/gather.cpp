// Pixels from bytes.
#include "kernels/common/vec.h"
#include "kernels/simd/leaf/parts.h"

namespace forger::simd::FORGER_ISA {
namespace {

void bytes_to_unit(const uint8_t* x, float* out, int64_t n) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(out + i, load_bytes(x + i) / 127.5f - 1.f);
  for (; i < n; ++i) out[i] = static_cast<float>(x[i]) / 127.5f - 1.f;
}

}  // namespace

void add_gather(Leaf& leaf) {
  leaf.bytes_to_unit = bytes_to_unit;
}

}  // namespace forger::simd::FORGER_ISA
