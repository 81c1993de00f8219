// Philox4x32-10, the counter-based generator behind every random number in Forger.
//
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. Its known-answer
// vectors are in tests/philox_test.cpp. Being a pure function of (key, counter), it gives the same integers on
// every provider and device, in any order, and dropout masks can be made again in the backward pass.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define FORGER_HOST_DEVICE __host__ __device__
#else
#define FORGER_HOST_DEVICE
#endif

namespace forger {

struct Philox4 {
  uint32_t v[4];
};

/// One block of Philox4x32 with 10 rounds: 128 counter bits and 64 key bits in, 128 random bits out.
FORGER_HOST_DEVICE constexpr Philox4 philox4x32_10(Philox4 counter, uint32_t key0, uint32_t key1) {
  constexpr uint32_t kMul0 = 0xD2511F53u, kMul1 = 0xCD9E8D57u;    // multipliers
  constexpr uint32_t kWeyl0 = 0x9E3779B9u, kWeyl1 = 0xBB67AE85u;  // key schedule: golden ratio, sqrt(3) - 1
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{kMul0} * counter.v[0];
    const uint64_t b = uint64_t{kMul1} * counter.v[2];
    counter = {{static_cast<uint32_t>(b >> 32) ^ counter.v[1] ^ key0, static_cast<uint32_t>(b),
                static_cast<uint32_t>(a >> 32) ^ counter.v[3] ^ key1, static_cast<uint32_t>(a)}};
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return counter;
}

/// The four words for elements 4*block .. 4*block+3 of one random tensor.
/// Key = seed; counter = (block, step, stream): block is 32 bits, step 48 bits, stream 48 bits, so one stream
/// yields 2^34 elements a step and never repeats within 2^48 steps.
FORGER_HOST_DEVICE constexpr Philox4 philox_block(uint64_t seed, uint64_t stream, uint64_t step, uint32_t block) {
  return philox4x32_10({{block, static_cast<uint32_t>(step),
                         (static_cast<uint32_t>(step >> 32) & 0xFFFFu) | (static_cast<uint32_t>(stream >> 32) << 16),
                         static_cast<uint32_t>(stream)}},
                       static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
}

/// Uniform in [0, 1): the upper 24 bits, exact in float and double alike.
FORGER_HOST_DEVICE constexpr float philox_uniform(uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24f;
}

/// Uniform in (0, 1]: for the logarithm of Box-Muller.
FORGER_HOST_DEVICE constexpr float philox_uniform_nonzero(uint32_t word) {
  return static_cast<float>((word >> 8) + 1) * 0x1p-24f;
}

/// Unbiased enough integer in [0, n): the high half of a 64-bit product (bias below n / 2^32).
FORGER_HOST_DEVICE constexpr uint32_t philox_below(uint32_t word, uint32_t n) {
  return static_cast<uint32_t>((uint64_t{word} * n) >> 32);
}

}  // namespace forger
