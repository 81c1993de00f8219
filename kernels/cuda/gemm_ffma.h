// The engine for plain fp32: every thread of a warp (4 lanes down, 8 across) holds a small matrix of C in registers.
#pragma once

#include "kernels/cuda/gemm_tile.h"

namespace forger::FORGER_DEVICE {

template <class TileType_, int kBlocksPerSm_>
class FfmaEngine {
 public:
  using TileType = TileType_;
  static constexpr int kBlocksPerSm = kBlocksPerSm_;
  static constexpr bool kTensorCores = false;

  /// Adds a stage's product to C.
  template <Major kMajorA, Major kMajorB>
  __device__ __forceinline__ void multiply(const float* a, const float* b) {
#pragma unroll kUnroll
    for (int k = 0; k < kTileK; k += kDepth) {
      float right[kSlotsN / 4][4][kDepth];
#pragma unroll
      for (int v = 0; v < kSlotsN / 4; ++v) {
        read_slots<kMajorB, TileType::kN, kLanesN, kDepth>(b, first_column() + v * 4 * kLanesN, lane_n(), k, right[v]);
      }
#pragma unroll
      for (int u = 0; u < kSlotsM / 4; ++u) {
        float left[4][kDepth];
        read_slots<kMajorA, TileType::kM, kLanesM, kDepth>(a, first_row() + u * 4 * kLanesM, lane_m(), k, left);
#pragma unroll
        for (int d = 0; d < kDepth; ++d) {
#pragma unroll
          for (int i = 0; i < 4; ++i) {
#pragma unroll
            for (int j = 0; j < kSlotsN; ++j) c_[4 * u + i][j] += left[i][d] * right[j / 4][j % 4][d];
          }
        }
      }
    }
  }

  /// Calls put(row, column, value) for this thread's part of the tile.
  template <Major kMajorA, Major kMajorB, class Put>
  __device__ __forceinline__ void store(Put put) const {
#pragma unroll
    for (int i = 0; i < kSlotsM; ++i) {
      const int row = first_row() + i / 4 * 4 * kLanesM + slot_element<kMajorA, kLanesM>(i % 4, lane_m());
#pragma unroll
      for (int j = 0; j < kSlotsN; ++j) {
        put(row, first_column() + j / 4 * 4 * kLanesN + slot_element<kMajorB, kLanesN>(j % 4, lane_n()), c_[i][j]);
      }
    }
  }

 private:
  static constexpr int kLanesM = 4, kLanesN = 8;
  static constexpr int kSlotsM = TileType::kWarpM / kLanesM, kSlotsN = TileType::kWarpN / kLanesN;
  static constexpr int kDepth = kSlotsN > 4 ? 2 : 4;  // k per read: what registers allow
  static constexpr int kUnroll = 1;
  static_assert(kSlotsM % 4 == 0 && kSlotsN % 4 == 0);

  static __device__ __forceinline__ int warp() {
    return static_cast<int>(threadIdx.x) / 32;
  }
  static __device__ __forceinline__ int lane_m() {
    return static_cast<int>(threadIdx.x) % 32 / kLanesN;
  }
  static __device__ __forceinline__ int lane_n() {
    return static_cast<int>(threadIdx.x) % kLanesN;
  }
  static __device__ __forceinline__ int first_row() {
    return warp() / TileType::kWarpsN * TileType::kWarpM;
  }
  static __device__ __forceinline__ int first_column() {
    return warp() % TileType::kWarpsN * TileType::kWarpN;
  }

  float c_[kSlotsM][kSlotsN] = {};
};

}  // namespace forger::FORGER_DEVICE
