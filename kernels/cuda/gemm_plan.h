// How a matrix product is cut into blocks: a pure function of its sizes, for the launchers, the engine's workspace and
// the tests on a CPU.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/cuda/multiprocessors.h"
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

/// Edges of a block's tile of C, the block's threads, and how many such blocks the kernels' launch bounds promise a
/// multiprocessor.
struct TileSize {
  int m, n, threads, blocks_per_sm;

  bool operator==(const TileSize&) const = default;
};

/// Blocks of a multiprocessor where operands are copied element by element, which takes registers: at most.
inline constexpr int kScalarBlocksPerSm = 2;

struct GemmPlan {
  TileKind tile = TileKind::small;
  bool vectors = false;  // operands are copied 16 bytes at a time
  int splits = 1;        // of the reduction; more than one: partial sums go through the workspace
  int group = 0;         // splits that one block adds up before the groups are; 0: a second launch adds up all
  int stages = 4;        // of the pipeline, one of kStageCounts; sums do not depend on it

  bool operator==(const GemmPlan&) const = default;
};

inline constexpr int kTileK = 16;  // reduction steps per stage of the pipeline
inline constexpr int kStageCounts[] = {3, 4, 6, 8}, kUsualStages = 4;
inline constexpr int kMaxSplits = 128;
/// Of one tensor: offsets, and offsets of neighbours in the padding, are 32-bit.
inline constexpr int64_t kMaxGemmElements = int64_t{1} << 30;

/// 128x128 leaves 64x64 to each of four warps, which halves the traffic of shared memory; 3xTF32 has no registers for
/// that and, with three products per pair of operands, no need: its large tile is the tall one.
constexpr TileSize tile_size(Arithmetic arithmetic, TileKind tile) {
  const bool three = arithmetic == Arithmetic::tf32x3;
  switch (tile) {
    case TileKind::small:
      return {64, 64, 128, three ? 3 : 4};
    case TileKind::tall:
      return {128, 64, three ? 256 : 128, three ? 2 : 3};
    case TileKind::wide:
      return {64, 128, three ? 256 : 128, three ? 2 : 3};
    case TileKind::large:
      if (three) return {128, 64, 256, 2};
      return {128, 128, arithmetic == Arithmetic::ffma ? 256 : 128, 2};
  }
  return {};
}

/// Shared memory of a block (GemmShared in gemm_tile.h): sums of columns by warps, the rows' places in C and four words; then,
/// in one place, first the stages and afterwards the tile of C.
constexpr size_t shared_bytes(const TileSize& tile, int stages) {
  const int sums = tile.threads / 32 * std::max(32 * 8, tile.n * 4), words = 4 * (tile.m + 4);
  const int ring = stages * (tile.m + tile.n) * kTileK * 4, result = tile.m * (tile.n + 8) * 4;
  return static_cast<size_t>((sums + words + 15) / 16 * 16 + std::max(ring, result));
}

/// How many blocks are on a multiprocessor at once: as launch bounds promise and shared memory lasts. 0: not even one fits.
constexpr int blocks_per_sm(const TileSize& tile, int stages, const Multiprocessors& gpu) {
  const size_t room = gpu.shared_bytes / (shared_bytes(tile, stages) + kReservedShared);
  return std::min(tile.blocks_per_sm, static_cast<int>(room));
}
constexpr int blocks_per_sm(Arithmetic arithmetic, const GemmPlan& plan, const Multiprocessors& gpu) {
  return blocks_per_sm(tile_size(arithmetic, plan.tile), plan.stages, gpu);
}

/// Whether a tile leaves out what adds nothing to it (conv2d_taps.h). The largest one of the CUDA cores has no registers for
/// that.
constexpr bool leaves_out(bool tensor_cores, int m, int n) {
  return tensor_cores || m * n < 128 * 128;
}

/// Whether a tile's pipeline may have another depth than the usual one. Again the largest one of the CUDA cores has no registers;
/// nor would it gain, for its ring is no longer than the tile of C.
constexpr bool any_depth(bool tensor_cores, int m, int n) {
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

/// Of one stage of a block that has a multiprocessor to itself and nothing to wait for.
constexpr double stage_cycles(Arithmetic arithmetic, const TileSize& tile) {
  double per_cycle = 110;  // multiply-adds of one multiprocessor that is full
  if (arithmetic == Arithmetic::tf32x3) per_cycle = 200;
  if (arithmetic == Arithmetic::tf32) per_cycle = 500;
  if (arithmetic == Arithmetic::bf16) per_cycle = 650;
  // A smaller tile reads each operand more often.
  per_cycle *= tile.m * tile.n >= 128 * 128 ? 1.0 : tile.m * tile.n > 64 * 64 ? 0.9 : 0.7;
  return static_cast<double>(tile.m) * tile.n * kTileK / per_cycle;
}

/// From a stage's first copy to its last byte, most of it from L2, under load. Not measured.
inline constexpr double kFetchCycles = 800;

/// Of the longest split.
constexpr int64_t k_tiles_of(const GemmSize& size, int splits) {
  const int64_t all = (size.k + kTileK - 1) / kTileK;
  return std::max<int64_t>((all + splits - 1) / splits, 1);
}

/// Of a block on a multiprocessor that holds `x` of the blocks that launch bounds promise it.
constexpr double block_cycles(const GemmSize& size, Arithmetic arithmetic, const GemmPlan& plan, double x) {
  const TileSize tile = tile_size(arithmetic, plan.tile);
  constexpr double kBlockStart = 2000;
  double met = (size.between == TileKind::wide ? tile.n : tile.m) > 64 ? size.met_128 : size.met_64;
  if (!leaves_out(arithmetic != Arithmetic::ffma, tile.m, tile.n)) met = 1;
  const double k_tiles = std::max(met * static_cast<double>(k_tiles_of(size, plan.splits)), 1.0);
  // It reaches 0.4 + 0.6 x of its speed, the rest are latencies left bare; and stages come no faster than they are fetched.
  const double full = stage_cycles(arithmetic, tile) * static_cast<double>(tile.blocks_per_sm);
  const double per_k_tile = std::max(full * x / (0.4 + 0.6 * x), kFetchCycles / (plan.stages - 1));
  return k_tiles * per_k_tile + kBlockStart;
}

/// Of the sum over a plan's splits, once all blocks are done.
constexpr double sum_cycles(const GemmSize& size, Arithmetic arithmetic, const GemmPlan& plan, const Multiprocessors& gpu) {
  if (plan.splits == 1) return 0;
  const TileSize tile = tile_size(arithmetic, plan.tile);
  constexpr double kSumLaunch = 5000, kSumLatency = 80;  // the last: per split
  constexpr double kSumPerCycle = 6;                     // floats that one multiprocessor adds
  // A ticket is a fence, an atomic operation and a barrier; a block adds up what its own loads in flight let it: 32 KiB
  // in the 700 cycles that L2 takes, at best.
  constexpr double kTicket = 1500, kBlockSumPerCycle = 8;
  const double partials = static_cast<double>(size.outputs) * plan.splits / (kSumPerCycle * gpu.count);
  if (plan.group == 0) {
    return kSumLaunch + kSumLatency * plan.splits + 2 * partials + static_cast<double>(size.outputs) / (kSumPerCycle * gpu.count);
  }
  const int64_t groups = (plan.splits + plan.group - 1) / plan.group, tiles = tiles_of(size, tile);
  const auto add_up = [&](int64_t adders, int64_t count) {  // so many blocks, so many tiles each
    const double elements = static_cast<double>(tile.m) * tile.n * static_cast<double>(count);
    return kTicket + elements * std::max(1 / kBlockSumPerCycle, static_cast<double>(adders) / (kSumPerCycle * gpu.count));
  };
  const double cycles = partials + add_up(tiles * groups, plan.group);  // partials: written; read by add_up
  return groups == 1 ? cycles : cycles + add_up(tiles, groups);
}

/// Of a product that has a GPU to itself.
constexpr double gemm_cycles(const GemmSize& size, Arithmetic arithmetic, const GemmPlan& plan, const Multiprocessors& gpu) {
  const int64_t per_sm = blocks_per_sm(arithmetic, plan, gpu), blocks = blocks_of(size, arithmetic, plan);
  const auto ceil = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  const double x =
      static_cast<double>(std::min(ceil(blocks, gpu.count), per_sm)) / tile_size(arithmetic, plan.tile).blocks_per_sm;
  const auto waves = static_cast<double>(ceil(blocks, gpu.count * per_sm));
  return waves * block_cycles(size, arithmetic, plan, x) + sum_cycles(size, arithmetic, plan, gpu);
}

/// How a launch of `blocks` such blocks lies on a multiprocessor; of the pipeline's depth, what follows from it.
struct Residence {
  TileSize tile;
  int64_t blocks;   // of the launch
  int64_t k_tiles;  // of a block
  Multiprocessors gpu;

  /// Blocks of the launch that are on a multiprocessor at once.
  constexpr int64_t together(int stages) const {
    const int64_t each = std::max<int64_t>((blocks + gpu.count - 1) / gpu.count, 1);
    return std::min<int64_t>(each, blocks_per_sm(tile, stages, gpu));
  }
  /// More stages than tiles, and one that is free, are never filled.
  constexpr bool fills(int stages) const { return stages <= k_tiles + 1; }
  /// Launches of other branches of a step run beside this one: its blocks leave them half of the shared memory.
  constexpr bool leaves_half(int stages) const {
    const auto all = static_cast<size_t>(together(stages)) * (shared_bytes(tile, stages) + kReservedShared);
    return together(stages) == together(4) && 2 * all <= gpu.shared_bytes;
  }
};

/// The depth of the pipeline: four stages; three where another block then fits, or where there is no more to fetch; more where
/// few blocks share a multiprocessor, until the time that they take for what is there covers a fetch.
constexpr int choose_stages(Arithmetic arithmetic, const Residence& r) {
  if (!any_depth(arithmetic != Arithmetic::ffma, r.tile.m, r.tile.n)) return kUsualStages;
  if (!r.fills(4) || r.together(3) > r.together(4)) return 3;
  const double cycles = stage_cycles(arithmetic, r.tile) * static_cast<double>(r.together(4));
  int stages = 4;
  for (const int more : {6, 8}) {
    if ((stages - 1) * cycles >= kFetchCycles || !r.fills(more) || !r.leaves_half(more)) break;
    stages = more;
  }
  return stages;
}

/// A depth to try beside the chosen one, since the latency of a fetch is no more than a guess: the next one if there is room for
/// it, or else the one before. 0: neither.
constexpr int other_stages(Arithmetic arithmetic, const Residence& r, int chosen) {
  if (!any_depth(arithmetic != Arithmetic::ffma, r.tile.m, r.tile.n)) return 0;
  if (chosen == 3) return r.fills(4) && r.together(4) > 0 ? 4 : 0;
  const int more = chosen + 2;
  if (more <= 8 && r.fills(more) && r.leaves_half(more)) return more;
  return chosen > 4 ? chosen - 2 : 0;
}

/// Of a product that has a launch to itself.
constexpr Residence residence_of(const GemmSize& size, Arithmetic arithmetic, const GemmPlan& plan, const Multiprocessors& gpu) {
  return {tile_size(arithmetic, plan.tile), blocks_of(size, arithmetic, plan), k_tiles_of(size, plan.splits), gpu};
}

/// Calls f with every plan that there is, of the depth that suits it. Operands that cannot be copied as vectors get the small
/// tile. `one_launch`: only plans that need no second one.
template <class F>
constexpr void for_each_plan(const GemmSize& size, Arithmetic arithmetic, bool vectors, bool one_launch,
                             const Multiprocessors& gpu, F f) {
  const int64_t k_tiles = k_tiles_of(size, 1);
  for (const TileKind tile : {TileKind::small, size.between, TileKind::large}) {
    if (tile != TileKind::small && !vectors) continue;
    for (int splits = 1; splits <= std::min<int64_t>(kMaxSplits, k_tiles); ++splits) {
      GemmPlan plan{.tile = tile, .vectors = vectors, .splits = splits};
      plan.stages = choose_stages(arithmetic, residence_of(size, arithmetic, plan, gpu));
      if (blocks_per_sm(arithmetic, plan, gpu) == 0) continue;
      // In groups of about the root of their number both sums are equally long.
      int root = 1;
      while (root * root < splits) ++root;
      for (const int group : {0, splits, root}) {
        if (splits == 1 && group > 0) break;
        if (splits > 1 && group == 0 && one_launch) continue;
        plan.group = group;
        f(plan);
      }
    }
  }
}

/// Calls f with the plan and, if there is a depth that may be better in truth, with that of this depth.
template <class F>
constexpr void for_depths(const GemmSize& size, Arithmetic arithmetic, GemmPlan plan, const Multiprocessors& gpu, F f) {
  f(plan);
  plan.stages = other_stages(arithmetic, residence_of(size, arithmetic, plan, gpu), plan.stages);
  if (plan.stages > 0) f(plan);
}

/// The fastest of all plans by gemm_cycles; the first of equals.
constexpr GemmPlan plan_gemm(const GemmSize& size, Arithmetic arithmetic, bool vectors, const Multiprocessors& gpu,
                             bool one_launch = false) {
  GemmPlan best;
  double best_cycles = std::numeric_limits<double>::infinity();
  for_each_plan(size, arithmetic, vectors, one_launch, gpu, [&](const GemmPlan& plan) {
    const double cycles = gemm_cycles(size, arithmetic, plan, gpu);
    if (cycles < best_cycles) {
      best_cycles = cycles;
      best = plan;
    }
  });
  return best;
}

/// Of plans with their estimates those that may be the fastest in truth: at most 12, of an estimate at most half above the best
/// one's, by estimate; behind them the best three at another depth.
inline std::vector<GemmPlan> best_plans(const GemmSize& size, Arithmetic arithmetic, const Multiprocessors& gpu,
                                        std::vector<std::pair<double, GemmPlan>> plans) {
  constexpr size_t kMost = 9, kDeepened = 3;
  constexpr double kWorthATry = 1.5;
  std::stable_sort(plans.begin(), plans.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<GemmPlan> best;
  for (const auto& [cycles, plan] : plans) {
    const bool again = std::find(best.begin(), best.end(), plan) != best.end();  // small may also be the tile between
    if (best.size() < kMost && cycles <= kWorthATry * plans.front().first && !again) best.push_back(plan);
  }
  for (size_t i = 0, count = std::min(best.size(), kDeepened); i < count; ++i) {
    for_depths(size, arithmetic, GemmPlan(best[i]), gpu, [&](const GemmPlan& plan) {
      if (plan != best[i]) best.push_back(plan);
    });
  }
  return best;
}
inline std::vector<GemmPlan> plan_candidates(const GemmSize& size, Arithmetic arithmetic, bool vectors,
                                             const Multiprocessors& gpu, bool one_launch = false) {
  std::vector<std::pair<double, GemmPlan>> plans;
  for_each_plan(size, arithmetic, vectors, one_launch, gpu,
                [&](const GemmPlan& plan) { plans.emplace_back(gemm_cycles(size, arithmetic, plan, gpu), plan); });
  return best_plans(size, arithmetic, gpu, std::move(plans));
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
