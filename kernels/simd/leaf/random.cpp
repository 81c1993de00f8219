// Philox4x32-10, one block per lane, and what is drawn from it. The scalar definition, with its source, is
// kernels/common/philox.h; its functions cannot be used here (see leaf.h).
#include "kernels/simd/leaf/math.h"
#include "kernels/simd/leaf/parts.h"

namespace forger::simd::FORGER_ISA {
namespace {

struct Words {
  VU w[4];  // word w of one block per lane
};

struct HighLow {
  VU high, low;
};

FORGER_INLINE VU splat_u(uint32_t x) {
  return VU{} + x;
}

/// The halves of the 64-bit products a * b.
FORGER_INLINE HighLow multiply(VU a, uint32_t b) {
  const VU64 even = mul_even(a, splat_u(b));
  const VU64 odd = mul_even((VU)((VU64)a >> 32), splat_u(b));
  return {(VU)((even >> 32) | (odd & 0xFFFFFFFF00000000u)), (VU)((even & 0xFFFFFFFFu) | (odd << 32))};
}

FORGER_INLINE Words philox(VU block, const RandomKey& key) {
  const uint32_t step_high = static_cast<uint32_t>(key.step >> 32) & 0xFFFFu;
  const uint32_t stream_high = static_cast<uint32_t>(key.stream >> 32) << 16;
  Words x = {{block, splat_u(static_cast<uint32_t>(key.step)), splat_u(step_high | stream_high),
              splat_u(static_cast<uint32_t>(key.stream))}};
  uint32_t key0 = static_cast<uint32_t>(key.seed), key1 = static_cast<uint32_t>(key.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const HighLow a = multiply(x.w[0], 0xD2511F53u);
    const HighLow b = multiply(x.w[2], 0xCD9E8D57u);
    x = {{b.high ^ x.w[1] ^ key0, b.low, a.high ^ x.w[3] ^ key1, a.low}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
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

/// Elements [begin, end) of the tensor whose block of words becomes elements by `draw`: kLanes blocks at a
/// time are handed on as `use(first element, pointer to 4 * kLanes numbers, how many of them count)`.
template <class Draw, class Use>
FORGER_INLINE void for_blocks(int64_t begin, int64_t end, const RandomKey& key, const Draw& draw,
                              const Use& use) {
  const VU order = block_order();
  for (int64_t i = begin; i < end; i += 4 * kLanes) {
    alignas(64) float numbers[4 * kLanes];
    store_blocks(numbers, draw(philox(order + static_cast<uint32_t>(i / 4), key)));
    use(i, numbers, 4 * kLanes < end - i ? int64_t{4 * kLanes} : end - i);
  }
}

template <class Draw>
FORGER_INLINE void fill(float* out, int64_t begin, int64_t end, const RandomKey& key, const Draw& draw) {
  for_blocks(begin, end, key, draw, [out](int64_t i, const float* numbers, int64_t count) {
    std::memcpy(out + i, numbers, static_cast<size_t>(count) * sizeof(float));
  });
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

void dropout(const float* x, float* out, int64_t begin, int64_t end, float rate, const RandomKey& key) {
  const float scale = 1.f / (1.f - rate);
  const auto draw = [](const Words& words) {
    Quad q;
    for (int w = 0; w < 4; ++w) q.v[w] = uniform(words.w[w]);
    return q;
  };
  for_blocks(begin, end, key, draw, [&](int64_t i, const float* u, int64_t total) {
    for_lanes(total, [&](int64_t k, int64_t count) {
      const VF kept = load(x + i + k, count) * scale;
      store(out + i + k, load(u + k) >= rate ? kept : VF{}, count);
    });
  });
}

}  // namespace

void add_random(Leaf& leaf) {
  leaf.random_uniform = random_uniform;
  leaf.random_normal = random_normal;
  leaf.dropout = dropout;
}

}  // namespace forger::simd::FORGER_ISA
