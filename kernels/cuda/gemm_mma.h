// The engine for tensor cores. A warp's tile of C is a grid of 16x8 fragments.
//
// With g = lane / 4 and t = lane % 4 a lane owns elements k = 4t..4t+3 of a stage's 16, for rows of A and columns of B
// that its g names. An instruction wants, for example, k = t and t + 4 of its 8; but a sum over k may run in any order,
// so it is given 4t and 4t+1 in their place, from A and B alike: one 16-byte read instead of four reads.
#pragma once

#include "kernels/cuda/gemm_tile.h"

namespace forger::FORGER_DEVICE {

/// Operands rounded to TF32: two instructions of 8 k.
struct Tf32 {
  struct A {
    uint32_t k[2][4];
  };
  struct B {
    uint32_t k[2][2];
  };
  static constexpr int kInstructions = 2;

  /// Of rows g and g + 8.
  static __device__ __forceinline__ A round_a(const float (&upper)[4], const float (&lower)[4]) {
    return {{{ptx::to_tf32(upper[0]), ptx::to_tf32(lower[0]), ptx::to_tf32(upper[1]), ptx::to_tf32(lower[1])},
             {ptx::to_tf32(upper[2]), ptx::to_tf32(lower[2]), ptx::to_tf32(upper[3]), ptx::to_tf32(lower[3])}}};
  }
  static __device__ __forceinline__ B round_b(const float (&column)[4]) {
    return {{{ptx::to_tf32(column[0]), ptx::to_tf32(column[1])}, {ptx::to_tf32(column[2]), ptx::to_tf32(column[3])}}};
  }
  static __device__ __forceinline__ void multiply(float (&d)[4], const A& a, const B& b, int instruction) {
    ptx::mma_tf32(d, a.k[instruction], b.k[instruction]);
  }
};

/// x = big + small, both TF32: what is lost of a product is small * small, 2^-22 of it. Small terms are added first.
/// Source: NVIDIA CUTLASS, example 27 (ampere_3xtf32_fast_accurate_tensorop_gemm).
struct Tf32x3 {
  struct A {
    Tf32::A big, small;
  };
  struct B {
    Tf32::B big, small;
  };
  static constexpr int kInstructions = 6;

  static __device__ __forceinline__ float rest(float x) { return x - __uint_as_float(ptx::to_tf32(x)); }
  static __device__ __forceinline__ A round_a(const float (&upper)[4], const float (&lower)[4]) {
    const float upper_rest[4] = {rest(upper[0]), rest(upper[1]), rest(upper[2]), rest(upper[3])};
    const float lower_rest[4] = {rest(lower[0]), rest(lower[1]), rest(lower[2]), rest(lower[3])};
    return {Tf32::round_a(upper, lower), Tf32::round_a(upper_rest, lower_rest)};
  }
  static __device__ __forceinline__ B round_b(const float (&column)[4]) {
    const float column_rest[4] = {rest(column[0]), rest(column[1]), rest(column[2]), rest(column[3])};
    return {Tf32::round_b(column), Tf32::round_b(column_rest)};
  }
  static __device__ __forceinline__ void multiply(float (&d)[4], const A& a, const B& b, int instruction) {
    const int half = instruction % 2, term = instruction / 2;
    ptx::mma_tf32(d, term == 0 ? a.small.k[half] : a.big.k[half], term == 1 ? b.small.k[half] : b.big.k[half]);
  }
};

/// Operands rounded to BF16: one instruction of 16 k.
struct Bf16 {
  struct A {
    uint32_t k[4];
  };
  struct B {
    uint32_t k[2];
  };
  static constexpr int kInstructions = 1;

  static __device__ __forceinline__ A round_a(const float (&upper)[4], const float (&lower)[4]) {
    return {{ptx::pack_bf16(upper[0], upper[1]), ptx::pack_bf16(lower[0], lower[1]), ptx::pack_bf16(upper[2], upper[3]),
             ptx::pack_bf16(lower[2], lower[3])}};
  }
  static __device__ __forceinline__ B round_b(const float (&column)[4]) {
    return {{ptx::pack_bf16(column[0], column[1]), ptx::pack_bf16(column[2], column[3])}};
  }
  static __device__ __forceinline__ void multiply(float (&d)[4], const A& a, const B& b, int) { ptx::mma_bf16(d, a.k, b.k); }
};

template <class Rounding, class TileType_, int kBlocksPerSm_>
class MmaEngine {
 public:
  using TileType = TileType_;
  static constexpr int kBlocksPerSm = kBlocksPerSm_;
  static constexpr bool kTensorCores = true;

  /// Adds a stage's product to C.
  template <Major kMajorA, Major kMajorB>
  __device__ __forceinline__ void multiply(const float* a, const float* b) {
    typename Rounding::B right[kSlotsN];
#pragma unroll
    for (int j = 0; j < kSlotsN; j += 4) {
      float values[4][4];
      read_slots<kMajorB, TileType::kN, kLanes, 4>(b, first_column() + j * kLanes, g(), 4 * t(), values);
#pragma unroll
      for (int i = 0; i < 4; ++i) right[j + i] = Rounding::round_b(values[i]);
    }
#pragma unroll
    for (int u = 0; u < kSlotsM; u += 4) {  // four slots are two fragments of 16 rows
      float values[4][4];
      read_slots<kMajorA, TileType::kM, kLanes, 4>(a, first_row() + u * kLanes, g(), 4 * t(), values);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const typename Rounding::A left = Rounding::round_a(values[2 * half], values[2 * half + 1]);
#pragma unroll
        for (int i = 0; i < Rounding::kInstructions; ++i) {  // outermost: neighbours write to different registers
#pragma unroll
          for (int j = 0; j < kSlotsN; ++j) Rounding::multiply(d_[u / 2 + half][j], left, right[j], i);
        }
      }
    }
  }

  /// Calls put(row, column, value) for this thread's part of the tile.
  template <Major kMajorA, Major kMajorB, class Put>
  __device__ __forceinline__ void store(Put put) const {
#pragma unroll
    for (int u = 0; u < kSlotsM; ++u) {
      const int row = first_row() + u / 4 * 4 * kLanes + slot_element<kMajorA, kLanes>(u % 4, g());
#pragma unroll
      for (int j = 0; j < kSlotsN; ++j) {
        const int group = first_column() + j / 4 * 4 * kLanes;
        put(row, group + slot_element<kMajorB, kLanes>(j % 4, 2 * t()), d_[u / 2][j][u % 2 * 2]);
        put(row, group + slot_element<kMajorB, kLanes>(j % 4, 2 * t() + 1), d_[u / 2][j][u % 2 * 2 + 1]);
      }
    }
  }

 private:
  static constexpr int kLanes = 8;
  static constexpr int kSlotsM = TileType::kWarpM / kLanes, kSlotsN = TileType::kWarpN / kLanes;
  static_assert(kSlotsM % 4 == 0 && kSlotsN % 4 == 0);

  static __device__ __forceinline__ int warp() {
    return static_cast<int>(threadIdx.x) / 32;
  }
  static __device__ __forceinline__ int g() {
    return static_cast<int>(threadIdx.x) % 32 / 4;
  }
  static __device__ __forceinline__ int t() {
    return static_cast<int>(threadIdx.x) % 4;
  }
  static __device__ __forceinline__ int first_row() {
    return warp() / TileType::kWarpsN * TileType::kWarpM;
  }
  static __device__ __forceinline__ int first_column() {
    return warp() % TileType::kWarpsN * TileType::kWarpN;
  }

  float d_[kSlotsM / 2][kSlotsN][4] = {};
};

}  // namespace forger::FORGER_DEVICE
