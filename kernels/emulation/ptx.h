// Host twins of kernels/cuda/ptx.h, instruction by instruction; fragments as in the PTX ISA, "Matrix fragments for mma".
#pragma once

#include "kernels/emulation/dialect.h"

namespace forger::emulated::ptx {

template <int kBytes>
void cp_async(void* shared, const void* global, bool valid) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
  emulation::async_copy(shared, global, kBytes, valid);
}
inline void cp_async_commit() {
  emulation::async_commit();
}
template <int kPending>
void cp_async_wait() {
  emulation::async_wait(kPending);
}

/// Launches run one after another.
inline void await_launches() {
  emulation::begin_kernel();
}
inline void let_followers_begin() {}

inline unsigned block_index() {
  return blockIdx.x;
}

/// cvt.rna.tf32: nearest of 10 mantissa bits, ties away from zero. NaN stays NaN.
inline uint32_t to_tf32(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if (!(std::abs(x) <= 3.4028235e38f)) return bits;  // infinities and NaN
  return (bits + 0x1000u) & 0xFFFFE000u;
}

/// One bf16, nearest even, in the low 16 bits.
inline uint32_t to_bf16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if (std::isnan(x)) return 0x7FFFu;
  return (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
}
/// cvt.rn.bf16x2: `low` in the low half.
inline uint32_t pack_bf16(float low, float high) {
  return to_bf16(low) | (to_bf16(high) << 16);
}

struct Fragments {
  uint32_t a[4], b[2];
};
inline Fragments fragments_of(const std::byte* slots, unsigned lane) {
  return read_lane<Fragments>(slots, lane);
}

/// What the tensor core reads of a register: the low 13 bits are not there.
inline double tf32_value(uint32_t bits) {
  return static_cast<double>(std::bit_cast<float>(bits & 0xFFFFE000u));
}
inline double bf16_value(uint32_t pair, unsigned half) {
  return static_cast<double>(std::bit_cast<float>(half == 0 ? pair << 16 : pair & 0xFFFF0000u));
}

/// mma.sync.m16n8k8 .f32.tf32.tf32.f32: d[16,8] += a[16,8] b[8,8]. With g = lane / 4 and t = lane % 4 this thread holds
/// a(g, t), a(g+8, t), a(g, t+4), a(g+8, t+4), b(t, g), b(t+4, g) and d(g, 2t), d(g, 2t+1), d(g+8, 2t), d(g+8, 2t+1).
inline void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  const Fragments mine{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  const std::byte* slots = emulation::warp_exchange(&mine, sizeof mine, "mma.m16n8k8.tf32");
  const unsigned g = emulation::lane() / 4, t = emulation::lane() % 4;
  double sums[4] = {};
  for (unsigned k = 0; k < 8; ++k) {
    const Fragments row = fragments_of(slots, g * 4 + k % 4);
    const double low = tf32_value(row.a[k < 4 ? 0 : 2]), high = tf32_value(row.a[k < 4 ? 1 : 3]);
    for (unsigned n = 0; n < 2; ++n) {
      const double factor = tf32_value(fragments_of(slots, (2 * t + n) * 4 + k % 4).b[k / 4]);
      sums[n] += low * factor;
      sums[2 + n] += high * factor;
    }
  }
  for (int i = 0; i < 4; ++i) d[i] = static_cast<float>(static_cast<double>(d[i]) + sums[i]);
}

/// mma.sync.m16n8k16 .f32.bf16.bf16.f32: d[16,8] += a[16,16] b[16,8]. Registers hold pairs along k, the lower k in the
/// lower half: a(g, 2t..), a(g+8, 2t..), a(g, 2t+8..), a(g+8, 2t+8..), b(2t.., g), b(2t+8.., g); d as above.
inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  const Fragments mine{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  const std::byte* slots = emulation::warp_exchange(&mine, sizeof mine, "mma.m16n8k16.bf16");
  const unsigned g = emulation::lane() / 4, t = emulation::lane() % 4;
  double sums[4] = {};
  for (unsigned k = 0; k < 16; ++k) {
    const unsigned owner = (k % 8) / 2;
    const Fragments row = fragments_of(slots, g * 4 + owner);
    const double low = bf16_value(row.a[k < 8 ? 0 : 2], k % 2), high = bf16_value(row.a[k < 8 ? 1 : 3], k % 2);
    for (unsigned n = 0; n < 2; ++n) {
      const double factor = bf16_value(fragments_of(slots, (2 * t + n) * 4 + owner).b[k / 8], k % 2);
      sums[n] += low * factor;
      sums[2 + n] += high * factor;
    }
  }
  for (int i = 0; i < 4; ++i) d[i] = static_cast<float>(static_cast<double>(d[i]) + sums[i]);
}

/// ld.acquire until another block has changed *word, which was `old`.
inline void wait_for_change(const uint32_t* word, uint32_t old) {
  emulation::wait_for_change(word, old);
}

}  // namespace forger::emulated::ptx
