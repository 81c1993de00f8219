// How a matrix product is cut into blocks: a pure function of its sizes, for the launchers, the engine's workspace and
// the tests on a CPU.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/cuda/stream.h"

namespace forger::FORGER_DEVICE {

/// What multiplies. Operands and results are f32 in memory, sums are f32.
enum class Arithmetic : uint8_t {
  ffma,    // fused multiply-add on the CUDA cores
  tf32,    // tensor cores, operands rounded to 10 mantissa bits
  tf32x3,  // tensor cores, every operand as a sum of two TF32 numbers: fp32's accuracy
  bf16,    // tensor cores, operands rounded to 7 mantissa bits
};

/// Tiles of C, 64 or 128 rows by 64 or 128 columns. Every product has small and large ones, and one between for what it
/// has 64 of: tall where columns are output channels, wide where rows are.
enum class TileKind : uint8_t { small, tall, wide, large };

/// C[m,n] = sum over k, for each of `phases` equal problems side by side.
struct GemmSize {
  int64_t m = 0, n = 0, k = 0, phases = 1;
  int64_t outputs = 0;                 // elements of the result, all phases together
  TileKind between = TileKind::small;  // small: there is none
  // The share of the reduction that a tile of 64, of 128 does not leave out on average (conv2d_taps.h): of rows; of columns where
  // the tile between is wide.
  double met_64 = 1, met_128 = 1;
};

/// Edges of a block's tile of C, and how many blocks share a multiprocessor.
struct TileSize {
  int m, n, blocks_per_sm;
};

/// Blocks of a multiprocessor where operands are copied element by element, which takes registers: at most.
inline constexpr int kScalarBlocksPerSm = 2;

struct GemmPlan {
  TileKind tile = TileKind::small;
  bool vectors = false;  // operands are copied 16 bytes at a time
  int splits = 1;        // of the reduction; more than one: partial sums go through the workspace
  int group = 0;         // splits that one block adds up before the groups are; 0: a second launch adds up all

  bool operator==(const GemmPlan&) const = default;
};

inline constexpr int kTileK = 16;  // reduction steps per stage of the pipeline
inline constexpr int kMaxSplits = 128;
/// Of one tensor: offsets, and offsets of neighbours in the padding, are 32-bit.
inline constexpr int64_t kMaxGemmElements = int64_t{1} << 30;

/// 128x128 leaves 64x64 to each of four warps, which halves the traffic of shared memory; 3xTF32 has no registers for
/// that and, with three products per pair of operands, no need: its large tile is the tall one.
constexpr TileSize tile_size(Arithmetic arithmetic, TileKind tile) {
  const bool three = arithmetic == Arithmetic::tf32x3;
  switch (tile) {
    case TileKind::small:
      return {64, 64, three ? 3 : 4};
    case TileKind::tall:
      return {128, 64, three ? 2 : 3};
    case TileKind::wide:
      return {64, 128, three ? 2 : 3};
    case TileKind::large:
      return three ? TileSize{128, 64, 2} : TileSize{128, 128, 2};
  }
  return {};
}

/// Whether a tile leaves out what adds nothing to it (conv2d_taps.h). The largest one of the CUDA cores has no registers for
/// that.
constexpr bool leaves_out(bool tensor_cores, int m, int n) {
  return tensor_cores || m * n < 128 * 128;
}

/// Tiles of C, of all phases.
constexpr int64_t tiles_of(const GemmSize& size, const TileSize& tile) {
  return (size.m + tile.m - 1) / tile.m * ((size.n + tile.n - 1) / tile.n) * size.phases;
}
constexpr int64_t blocks_of(const GemmSize& size, Arithmetic arithmetic, const GemmPlan& plan) {
  return tiles_of(size, tile_size(arithmetic, plan.tile)) * plan.splits;
}

// Estimates, in clock cycles. Only ratios matter: of a wave of blocks, of the fixed cost of a block (filling the pipeline,
// writing C), and of adding up partial sums: by a launch that has all multiprocessors, or by the last block of each tile,
// which saves the launch but has only as many as there are tiles.

/// Of a block on a multiprocessor that holds `x` of the blocks that it has room for.
constexpr double block_cycles(const GemmSize& size, Arithmetic arithmetic, const GemmPlan& plan, double x) {
  const TileSize tile = tile_size(arithmetic, plan.tile);
  double per_cycle = 110;  // multiply-adds of one multiprocessor that is full
  if (arithmetic == Arithmetic::tf32x3) per_cycle = 200;
  if (arithmetic == Arithmetic::tf32) per_cycle = 500;
  if (arithmetic == Arithmetic::bf16) per_cycle = 650;
  // A smaller tile reads each operand more often.
  per_cycle *= tile.m * tile.n >= 128 * 128 ? 1.0 : tile.m * tile.n > 64 * 64 ? 0.9 : 0.7;
  constexpr double kBlockStart = 2000;
  const auto ceil = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  double met = (size.between == TileKind::wide ? tile.n : tile.m) > 64 ? size.met_128 : size.met_64;
  if (!leaves_out(arithmetic != Arithmetic::ffma, tile.m, tile.n)) met = 1;
  const double k_tiles = std::max(met * static_cast<double>(ceil(ceil(size.k, kTileK), plan.splits)), 1.0);
  // It reaches 0.4 + 0.6 x of its speed: the rest are latencies left bare.
  const double full = static_cast<double>(tile.m) * tile.n * kTileK / per_cycle * static_cast<double>(tile.blocks_per_sm);
  const double per_k_tile = full * x / (0.4 + 0.6 * x);
  return k_tiles * per_k_tile + kBlockStart;
}

/// Of the sum over a plan's splits, once all blocks are done.
constexpr double sum_cycles(const GemmSize& size, Arithmetic arithmetic, const GemmPlan& plan, int multiprocessors) {
  if (plan.splits == 1) return 0;
  const TileSize tile = tile_size(arithmetic, plan.tile);
  constexpr double kSumLaunch = 5000, kSumLatency = 80;  // the last: per split
  constexpr double kSumPerCycle = 6;                     // floats that one multiprocessor adds
  // A ticket is a fence, an atomic operation and a barrier; a block adds up what its own loads in flight let it: 32 KiB
  // in the 700 cycles that L2 takes, at best.
  constexpr double kTicket = 1500, kBlockSumPerCycle = 8;
  const double partials = static_cast<double>(size.outputs) * plan.splits / (kSumPerCycle * multiprocessors);
  if (plan.group == 0) {
    return kSumLaunch + kSumLatency * plan.splits + 2 * partials +
           static_cast<double>(size.outputs) / (kSumPerCycle * multiprocessors);
  }
  const int64_t groups = (plan.splits + plan.group - 1) / plan.group, tiles = tiles_of(size, tile);
  const auto add_up = [&](int64_t adders, int64_t count) {  // so many blocks, so many tiles each
    const double elements = static_cast<double>(tile.m) * tile.n * static_cast<double>(count);
    return kTicket + elements * std::max(1 / kBlockSumPerCycle, static_cast<double>(adders) / (kSumPerCycle * multiprocessors));
  };
  const double cycles = partials + add_up(tiles * groups, plan.group);  // partials: written; read by add_up
  return groups == 1 ? cycles : cycles + add_up(tiles, groups);
}

/// Of a product that has a GPU of so many multiprocessors to itself.
constexpr double gemm_cycles(const GemmSize& size, Arithmetic arithmetic, const GemmPlan& plan, int multiprocessors) {
  const int64_t per_sm = tile_size(arithmetic, plan.tile).blocks_per_sm, blocks = blocks_of(size, arithmetic, plan);
  const auto ceil = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  const double x = std::min(1.0, static_cast<double>(ceil(blocks, multiprocessors)) / static_cast<double>(per_sm));
  const auto waves = static_cast<double>(ceil(blocks, multiprocessors * per_sm));
  return waves * block_cycles(size, arithmetic, plan, x) + sum_cycles(size, arithmetic, plan, multiprocessors);
}

/// Calls f with every plan that there is. Operands that cannot be copied as vectors get the small tile. `one_launch`: only
/// plans that need no second one.
template <class F>
constexpr void for_each_plan(const GemmSize& size, bool vectors, bool one_launch, F f) {
  const int64_t k_tiles = (size.k + kTileK - 1) / kTileK;
  for (const TileKind tile : {TileKind::small, size.between, TileKind::large}) {
    if (tile != TileKind::small && !vectors) continue;
    for (int splits = 1; splits <= std::min<int64_t>(kMaxSplits, std::max<int64_t>(k_tiles, 1)); ++splits) {
      // In groups of about the root of their number both sums are equally long.
      int root = 1;
      while (root * root < splits) ++root;
      for (const int group : {0, splits, root}) {
        if (splits == 1 && group > 0) break;
        if (splits > 1 && group == 0 && one_launch) continue;
        f(GemmPlan{.tile = tile, .vectors = vectors, .splits = splits, .group = group});
      }
    }
  }
}

/// The fastest of all plans by gemm_cycles; the first of equals.
constexpr GemmPlan plan_gemm(const GemmSize& size, Arithmetic arithmetic, bool vectors, int multiprocessors,
                             bool one_launch = false) {
  GemmPlan best{.tile = TileKind::small, .vectors = vectors, .splits = 1};
  double best_cycles = gemm_cycles(size, arithmetic, best, multiprocessors);
  for_each_plan(size, vectors, one_launch, [&](const GemmPlan& plan) {
    const double cycles = gemm_cycles(size, arithmetic, plan, multiprocessors);
    if (cycles < best_cycles) {
      best_cycles = cycles;
      best = plan;
    }
  });
  return best;
}

/// Of plans with their estimates those that may be the fastest in truth: at most 12, of an estimate at most half above the best
/// one's, by estimate.
inline std::vector<GemmPlan> best_plans(std::vector<std::pair<double, GemmPlan>> plans) {
  constexpr size_t kMost = 12;
  constexpr double kWorthATry = 1.5;
  std::stable_sort(plans.begin(), plans.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<GemmPlan> best;
  for (const auto& [cycles, plan] : plans) {
    const bool again = std::find(best.begin(), best.end(), plan) != best.end();  // small may also be the tile between
    if (best.size() < kMost && cycles <= kWorthATry * plans.front().first && !again) best.push_back(plan);
  }
  return best;
}
inline std::vector<GemmPlan> plan_candidates(const GemmSize& size, Arithmetic arithmetic, bool vectors, int multiprocessors,
                                             bool one_launch = false) {
  std::vector<std::pair<double, GemmPlan>> plans;
  for_each_plan(size, vectors, one_launch,
                [&](const GemmPlan& plan) { plans.emplace_back(gemm_cycles(size, arithmetic, plan, multiprocessors), plan); });
  return best_plans(std::move(plans));
}

/// Counters of a tile whose splits are added up in groups: one for each group, and one for the groups.
constexpr int counters_per_tile(int splits, int group) {
  const int groups = (splits + group - 1) / group;
  return groups == 1 ? 1 : groups + 1;
}
constexpr size_t counters_of(const GemmPlan& plan, const GemmSize& size, Arithmetic arithmetic) {
  if (plan.splits == 1 || plan.group == 0) return 0;
  return static_cast<size_t>(tiles_of(size, tile_size(arithmetic, plan.tile)) * counters_per_tile(plan.splits, plan.group));
}

/// What a matrix product needs beside its operands.
struct GemmScratch {
  float* partials = nullptr;     // of workspace_bytes(plan, size)
  uint32_t* counters = nullptr;  // counters_of(plan, size, arithmetic), all zero before and after
};

/// Room for the partial sums: splits x outputs.
constexpr size_t workspace_bytes(const GemmPlan& plan, const GemmSize& size) {
  return plan.splits == 1 ? 0 : sizeof(float) * static_cast<size_t>(plan.splits) * static_cast<size_t>(size.outputs);
}

}  // namespace forger::FORGER_DEVICE
