// How two matrix products that share a launch are cut into blocks: a pure function of their sizes, as gemm_plan.h's.
//
// Both have tiles of one kind, so that their blocks have equal threads and equal room on a multiprocessor. Together they
// fill a GPU with fewer splits than each would need alone.
#pragma once

#include <limits>

#include "kernels/cuda/gemm_plan.h"

namespace forger::FORGER_DEVICE {

/// Of which the first may be none: of size zero.
struct GemmPair {
  GemmSize first, second;
};

struct GemmPairPlan {
  GemmPlan first, second;

  bool operator==(const GemmPairPlan&) const = default;
};

/// Whether the second product's blocks start before the first one's: the longer ones do, so that short ones fill the end.
constexpr bool second_starts(const GemmPair& pair, Arithmetic arithmetic, const GemmPairPlan& plan) {
  return block_cycles(pair.second, arithmetic, plan.second, 1) > block_cycles(pair.first, arithmetic, plan.first, 1);
}

/// Estimated cycles of both. The sums over splits overlap.
constexpr double pair_cycles(const GemmPair& pair, Arithmetic arithmetic, const GemmPairPlan& plan, int multiprocessors) {
  const int64_t per_sm = tile_size(arithmetic, plan.first.tile).blocks_per_sm, places = per_sm * multiprocessors;
  const int64_t first = blocks_of(pair.first, arithmetic, plan.first), second = blocks_of(pair.second, arithmetic, plan.second);
  const int64_t on_sm = (first + second + multiprocessors - 1) / multiprocessors;
  const double x = std::min(1.0, static_cast<double>(on_sm) / static_cast<double>(per_sm));
  const double first_cycles = first == 0 ? 0 : block_cycles(pair.first, arithmetic, plan.first, x);
  const double second_cycles = block_cycles(pair.second, arithmetic, plan.second, x);
  const bool turned = second_starts(pair, arithmetic, plan);
  const int64_t longs = turned ? second : first;
  const double long_cycles = turned ? second_cycles : first_cycles, short_cycles = turned ? first_cycles : second_cycles;
  // A place takes the next block when it is free: some have had one long block more than the others when the short ones come.
  const int64_t late = longs % places, early = places - late;
  double early_end = static_cast<double>(longs / places) * long_cycles, late_end = early_end + long_cycles;
  double end = late > 0 ? late_end : early_end;
  for (int64_t left = turned ? first : second; left > 0;) {
    const bool is_early = late == 0 || early_end <= late_end;
    left -= is_early ? early : late;
    (is_early ? early_end : late_end) += short_cycles;
    end = std::max(end, is_early ? early_end : late_end);
  }
  return end + std::max(sum_cycles(pair.first, arithmetic, plan.first, multiprocessors),
                        sum_cycles(pair.second, arithmetic, plan.second, multiprocessors));
}

/// A product's plan in a launch that no other may follow: splits are added up by the last blocks, in the faster of two ways.
constexpr GemmPlan plan_splits(const GemmSize& size, Arithmetic arithmetic, TileKind tile, int splits, int multiprocessors) {
  GemmPlan plan{.tile = tile, .vectors = true, .splits = splits, .group = splits > 1 ? splits : 0};
  if (splits == 1) return plan;
  GemmPlan grouped = plan;
  for (grouped.group = 1; grouped.group * grouped.group < splits;) ++grouped.group;
  const auto cycles = [&](const GemmPlan& p) { return sum_cycles(size, arithmetic, p, multiprocessors); };
  return cycles(grouped) < cycles(plan) ? grouped : plan;
}

/// Fused multiply-adds keep a large tile in so many registers that a strided gather beside another product has none left.
constexpr bool has_large_pairs(Arithmetic arithmetic) {
  return arithmetic != Arithmetic::ffma;
}

/// Calls f with every plan of the pair. Operands must suit 16-byte copies.
template <class F>
void for_each_pair_plan(const GemmPair& pair, Arithmetic arithmetic, int multiprocessors, F f) {
  constexpr int kSplits[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14,  15, 16,
                             18, 20, 22, 24, 28, 32, 36, 40, 48, 56, 64, 80, 96, 112, 128};
  const auto plans = [&](const GemmSize& size, TileKind tile) {
    const int64_t k_tiles = (size.k + kTileK - 1) / kTileK;
    std::vector<GemmPlan> all;
    for (const int splits : kSplits) {
      if (splits == 1 || splits <= k_tiles) all.push_back(plan_splits(size, arithmetic, tile, splits, multiprocessors));
    }
    return all;
  };
  const auto with_tiles = [&](TileKind of_first, TileKind of_second) {
    const auto firsts = plans(pair.first, of_first), seconds = plans(pair.second, of_second);
    for (const GemmPlan& first : firsts) {
      for (const GemmPlan& second : seconds) f(GemmPairPlan{first, second});
    }
  };
  with_tiles(TileKind::small, TileKind::small);
  with_tiles(TileKind::tall, TileKind::wide);
  if (has_large_pairs(arithmetic)) with_tiles(TileKind::large, TileKind::large);
}

/// The fastest of all plans by pair_cycles; the first of equals.
inline GemmPairPlan plan_pair(const GemmPair& pair, Arithmetic arithmetic, int multiprocessors) {
  GemmPairPlan best;
  double best_cycles = std::numeric_limits<double>::infinity();
  for_each_pair_plan(pair, arithmetic, multiprocessors, [&](const GemmPairPlan& plan) {
    const double cycles = pair_cycles(pair, arithmetic, plan, multiprocessors);
    if (cycles >= best_cycles) return;
    best_cycles = cycles;
    best = plan;
  });
  return best;
}

/// Whether one launch takes less time by estimate than two, each with the tiles that suit its product best.
inline bool is_faster_as_pair(const GemmPair& pair, Arithmetic arithmetic, int multiprocessors) {
  constexpr double kLaunch = 4000;
  if (pair.first.outputs == 0) return true;
  const auto alone = [&](const GemmSize& size) {
    return gemm_cycles(size, arithmetic, plan_gemm(size, arithmetic, true, multiprocessors), multiprocessors);
  };
  const GemmPairPlan plan = plan_pair(pair, arithmetic, multiprocessors);
  return pair_cycles(pair, arithmetic, plan, multiprocessors) < alone(pair.first) + alone(pair.second) + kLaunch;
}

/// Plans that may be the fastest in truth: the best ones of each kind of tiles, at most 12, of an estimate at most half above
/// the best one's; the best by estimate first.
inline std::vector<GemmPairPlan> pair_plan_candidates(const GemmPair& pair, Arithmetic arithmetic, int multiprocessors) {
  constexpr size_t kMost = 12, kMostOfAKind = 4;
  constexpr double kWorthATry = 1.5;
  std::vector<std::pair<double, GemmPairPlan>> plans;
  for_each_pair_plan(pair, arithmetic, multiprocessors, [&](const GemmPairPlan& plan) {
    plans.emplace_back(pair_cycles(pair, arithmetic, plan, multiprocessors), plan);
  });
  std::stable_sort(plans.begin(), plans.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<GemmPairPlan> best;
  for (const auto& [cycles, plan] : plans) {
    const auto of_kind =
        std::count_if(best.begin(), best.end(), [&](const GemmPairPlan& p) { return p.first.tile == plan.first.tile; });
    const bool room = best.size() < kMost && static_cast<size_t>(of_kind) < kMostOfAKind;
    if (room && cycles <= kWorthATry * plans.front().first) best.push_back(plan);
  }
  return best;
}

}  // namespace forger::FORGER_DEVICE
