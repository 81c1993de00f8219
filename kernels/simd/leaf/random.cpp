// Philox4x32-10, one block per lane, and what is drawn from it. The scalar definition, with its source, is
// kernels/common/philox.h; its functions cannot be used here (see leaf.h).
#include "kernels/simd/leaf/math.h"
#include "kernels/simd/leaf/parts.h"

namespace forger::simd::FORGER_ISA {
namespace {

struct Words {
  VU w[4];  // word w of one block per lane
};

FORGER_INLINE VU splat_u(uint32_t x) {
  return VU{} + x;
}

/// One 32-bit word in the low half of every 64-bit lane, as the multiplication wants it. The upper halves
/// hold rubbish, which nothing reads: so a product's low word needs no work at all, and its high word one
/// shift.
struct HalfWords {
  VU64 w[4];
};

FORGER_INLINE HalfWords philox_half(HalfWords x, uint64_t seed) {
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const VU64 a = mul_even((VU)x.w[0], splat_u(0xD2511F53u));
    const VU64 b = mul_even((VU)x.w[2], splat_u(0xCD9E8D57u));
    x = {{(b >> 32) ^ x.w[1] ^ uint64_t{key0}, b, (a >> 32) ^ x.w[3] ^ uint64_t{key1}, a}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return x;
}

/// As philox_block, for the block numbers in the lanes of `block`: even and odd lanes apart, then side by
/// side.
FORGER_INLINE Words philox(VU block, const RandomKey& key) {
  const uint32_t step_high = static_cast<uint32_t>(key.step >> 32) & 0xFFFFu;
  const uint32_t stream_high = static_cast<uint32_t>(key.stream >> 32) << 16;
  const VU64 step = (VU64)splat_u(static_cast<uint32_t>(key.step));
  const VU64 high = (VU64)splat_u(step_high | stream_high);
  const VU64 stream = (VU64)splat_u(static_cast<uint32_t>(key.stream));
  const HalfWords even = philox_half({{(VU64)block, step, high, stream}}, key.seed);
  const HalfWords odd = philox_half({{(VU64)block >> 32, step, high, stream}}, key.seed);
  Words x;
  for (int w = 0; w < 4; ++w) x.w[w] = (VU)((even.w[w] & 0xFFFFFFFFu) | (odd.w[w] << 32));
  return x;
}

/// As philox_uniform and philox_uniform_nonzero.
FORGER_INLINE VF uniform(VU word) {
  return to_float((VI)(word >> 8)) * 0x1p-24f;
}
FORGER_INLINE VF uniform_nonzero(VU word) {
  return to_float((VI)(word >> 8) + 1) * 0x1p-24f;
}

/// Four registers, one element of each block; in `store_blocks` they become consecutive elements.
struct Quad {
  VF v[4];
};

// A transpose by unpack instructions leaves block 4L + k in 128-bit part L of register k. Dealing the blocks
// to the lanes in this order instead makes the registers consecutive: lane p draws block kParts * (p % 4) + p
// / 4.
constexpr int kParts = kLanes / 4;

FORGER_INLINE VU block_order() {
  VU order = {};
  for (int p = 0; p < kLanes; ++p) order[p] = static_cast<uint32_t>(kParts * (p % 4) + p / 4);
  return order;
}

FORGER_INLINE void store_blocks(float* out, const Quad& q) {
  const VF a = unpack_low(q.v[0], q.v[1]), b = unpack_high(q.v[0], q.v[1]);
  const VF c = unpack_low(q.v[2], q.v[3]), d = unpack_high(q.v[2], q.v[3]);
  store(out, unpack_low_pairs(a, c));
  store(out + kLanes, unpack_high_pairs(a, c));
  store(out + 2 * kLanes, unpack_low_pairs(b, d));
  store(out + 3 * kLanes, unpack_high_pairs(b, d));
}

/// The 4 * kLanes elements from `first` on, by draw(words).
template <class Draw>
FORGER_INLINE Quad draw_at(int64_t first, const RandomKey& key, const Draw& draw) {
  return draw(philox(block_order() + static_cast<uint32_t>(first / 4), key));
}

template <class Draw>
FORGER_INLINE void fill(float* out, int64_t begin, int64_t end, const RandomKey& key, const Draw& draw) {
  int64_t i = begin;
  for (; i + 4 * kLanes <= end; i += 4 * kLanes) store_blocks(out + i, draw_at(i, key, draw));
  if (i < end) {
    float last[4 * kLanes];
    store_blocks(last, draw_at(i, key, draw));
    std::memcpy(out + i, last, static_cast<size_t>(end - i) * sizeof(float));
  }
}

void random_uniform(float* out, int64_t begin, int64_t end, float low, float high, const RandomKey& key) {
  const float width = high - low;
  fill(out, begin, end, key, [&](const Words& x) {
    Quad q;
    for (int w = 0; w < 4; ++w) q.v[w] = low + width * uniform(x.w[w]);
    return q;
  });
}

void random_normal(float* out, int64_t begin, int64_t end, float mean, float stddev, const RandomKey& key) {
  fill(out, begin, end, key, [&](const Words& x) {
    Quad q;
    for (int w = 0; w < 4; w += 2) {  // Box-Muller on a pair of words
      const VF radius = stddev * sqrt(-2.f * log(uniform_nonzero(x.w[w])));
      const SinCos angle = sin_cos_turns(uniform(x.w[w + 1]));
      q.v[w] = fma(radius, angle.cos, splat(mean));
      q.v[w + 1] = fma(radius, angle.sin, splat(mean));
    }
    return q;
  });
}

}  // namespace

void dropout(const float* x, float* out, int64_t first, int64_t n, float rate, const RandomKey& key) {
  const float scale = 1.f / (1.f - rate);
  const auto draw = [](const Words& words) {
    Quad q;
    for (int w = 0; w < 4; ++w) q.v[w] = uniform(words.w[w]);
    return q;
  };
  for (int64_t i = 0; i < n; i += 4 * kLanes) {
    alignas(64) float u[4 * kLanes];
    store_blocks(u, draw_at(first + i, key, draw));
    const int64_t total = 4 * kLanes < n - i ? 4 * kLanes : n - i;
    for_lanes(total, [&](int64_t k, int64_t count) {
      const VF kept = load(x + i + k, count) * scale;
      store(out + i + k, load(u + k) >= rate ? kept : VF{}, count);
    });
  }
}

void add_random(Leaf& leaf) {
  leaf.random_uniform = random_uniform;
  leaf.random_normal = random_normal;
  leaf.dropout = dropout;
}

}  // namespace forger::simd::FORGER_ISA
