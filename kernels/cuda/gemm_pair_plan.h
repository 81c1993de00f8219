// How two matrix products that share a launch are cut into blocks: a pure function of their sizes, as gemm_plan.h's.
//
// Both have tiles of one kind, so that their blocks have equal threads and equal room on a multiprocessor. Together they
// fill a GPU with fewer splits than each would need alone.
#pragma once

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

/// As blocks_per_sm of a plan: a launch has room for the larger of its blocks.
constexpr int blocks_per_sm(Arithmetic arithmetic, const GemmPairPlan& plan, const Multiprocessors& gpu) {
  return std::min(blocks_per_sm(arithmetic, plan.first, gpu), blocks_per_sm(arithmetic, plan.second, gpu));
}

/// Estimated cycles of both. The sums over splits overlap.
constexpr double pair_cycles(const GemmPair& pair, Arithmetic arithmetic, const GemmPairPlan& plan, const Multiprocessors& gpu) {
  const int64_t per_sm = blocks_per_sm(arithmetic, plan, gpu), places = per_sm * gpu.count;
  const int64_t first = blocks_of(pair.first, arithmetic, plan.first), second = blocks_of(pair.second, arithmetic, plan.second);
  const int64_t on_sm = std::min((first + second + gpu.count - 1) / gpu.count, per_sm);
  const double x = static_cast<double>(on_sm) / tile_size(arithmetic, plan.first.tile).blocks_per_sm;
  const double first_cycles = first == 0 ? 0 : block_cycles(pair.first, arithmetic, plan.first, x);
  const double second_cycles = block_cycles(pair.second, arithmetic, plan.second, x);
  const bool turned = second_starts(pair, arithmetic, plan);
  const int64_t longs = turned ? second : first;
  const double long_cycles = turned ? second_cycles : first_cycles, short_cycles = turned ? first_cycles : second_cycles;
  // A place takes the next block when it is free: some have had one long block more than the others when the short ones come.
  const int64_t late = longs % places, early = places - late, whole_rounds = longs / places;
  double early_end = static_cast<double>(whole_rounds) * long_cycles, late_end = early_end + long_cycles;
  double end = late > 0 ? late_end : early_end;
  for (int64_t left = turned ? first : second; left > 0;) {
    const bool is_early = late == 0 || early_end <= late_end;
    left -= is_early ? early : late;
    (is_early ? early_end : late_end) += short_cycles;
    end = std::max(end, is_early ? early_end : late_end);
  }
  return end +
         std::max(sum_cycles(pair.first, arithmetic, plan.first, gpu), sum_cycles(pair.second, arithmetic, plan.second, gpu));
}

/// A product's plan in a launch that no other may follow: splits are added up by the last blocks, in the faster of two ways.
constexpr GemmPlan plan_splits(const GemmSize& size, Arithmetic arithmetic, TileKind tile, int splits,
                               const Multiprocessors& gpu) {
  GemmPlan plan{.tile = tile, .vectors = true, .splits = splits, .group = splits > 1 ? splits : 0};
  if (splits == 1) return plan;
  GemmPlan grouped = plan;
  for (grouped.group = 1; grouped.group * grouped.group < splits;) ++grouped.group;
  const auto cycles = [&](const GemmPlan& p) { return sum_cycles(size, arithmetic, p, gpu); };
  return cycles(grouped) < cycles(plan) ? grouped : plan;
}

/// Fused multiply-adds keep a large tile in so many registers that a strided gather beside another product has none left.
constexpr bool has_large_pairs(Arithmetic arithmetic) {
  return arithmetic != Arithmetic::ffma;
}

/// What depth each product's pipeline may have, beside the other one's blocks.
struct PairResidence {
  Residence first, second;
};
constexpr PairResidence residence_of(const GemmPair& pair, Arithmetic arithmetic, const GemmPairPlan& plan,
                                     const Multiprocessors& gpu) {
  PairResidence r{residence_of(pair.first, arithmetic, plan.first, gpu), residence_of(pair.second, arithmetic, plan.second, gpu)};
  r.first.blocks = r.second.blocks = r.first.blocks + r.second.blocks;
  return r;
}

/// Calls f with every plan of the pair, of the depths that suit it. Operands must suit 16-byte copies.
template <class F>
void for_each_pair_plan(const GemmPair& pair, Arithmetic arithmetic, const Multiprocessors& gpu, F f) {
  constexpr int kSplits[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14,  15, 16,
                             18, 20, 22, 24, 28, 32, 36, 40, 48, 56, 64, 80, 96, 112, 128};
  const auto plans = [&](const GemmSize& size, TileKind tile) {
    std::vector<GemmPlan> all;
    for (const int splits : kSplits) {
      if (splits <= k_tiles_of(size, 1)) all.push_back(plan_splits(size, arithmetic, tile, splits, gpu));
    }
    return all;
  };
  const auto with_tiles = [&](TileKind of_first, TileKind of_second) {
    const auto firsts = plans(pair.first, of_first), seconds = plans(pair.second, of_second);
    for (const GemmPlan& first : firsts) {
      for (const GemmPlan& second : seconds) {
        GemmPairPlan plan{first, second};
        const PairResidence r = residence_of(pair, arithmetic, plan, gpu);
        plan.first.stages = choose_stages(arithmetic, r.first);
        plan.second.stages = choose_stages(arithmetic, r.second);
        if (blocks_per_sm(arithmetic, plan, gpu) > 0) f(plan);
      }
    }
  };
  with_tiles(TileKind::small, TileKind::small);
  with_tiles(TileKind::tall, TileKind::wide);
  if (has_large_pairs(arithmetic)) with_tiles(TileKind::large, TileKind::large);
}

/// As for_depths of a product: both at another depth, or the one for which there is another.
template <class F>
void for_depths(const GemmPair& pair, Arithmetic arithmetic, GemmPairPlan plan, const Multiprocessors& gpu, F f) {
  f(plan);
  const PairResidence r = residence_of(pair, arithmetic, plan, gpu);
  const int first = other_stages(arithmetic, r.first, plan.first.stages),
            second = other_stages(arithmetic, r.second, plan.second.stages);
  if (first > 0) plan.first.stages = first;
  if (second > 0) plan.second.stages = second;
  if (first > 0 || second > 0) f(plan);
}

/// The fastest of all plans by pair_cycles; the first of equals.
inline GemmPairPlan plan_pair(const GemmPair& pair, Arithmetic arithmetic, const Multiprocessors& gpu) {
  GemmPairPlan best;
  double best_cycles = std::numeric_limits<double>::infinity();
  for_each_pair_plan(pair, arithmetic, gpu, [&](const GemmPairPlan& plan) {
    const double cycles = pair_cycles(pair, arithmetic, plan, gpu);
    if (cycles >= best_cycles) return;
    best_cycles = cycles;
    best = plan;
  });
  return best;
}

/// Whether one launch takes less time by estimate than two, each with the tiles that suit its product best.
inline bool is_faster_as_pair(const GemmPair& pair, Arithmetic arithmetic, const Multiprocessors& gpu) {
  constexpr double kLaunch = 4000;
  if (pair.first.outputs == 0) return true;
  const auto alone = [&](const GemmSize& size) {
    return gemm_cycles(size, arithmetic, plan_gemm(size, arithmetic, true, gpu), gpu);
  };
  const GemmPairPlan plan = plan_pair(pair, arithmetic, gpu);
  return pair_cycles(pair, arithmetic, plan, gpu) < alone(pair.first) + alone(pair.second) + kLaunch;
}

/// Plans that may be the fastest in truth: the best ones of each kind of tiles, of an estimate at most half above the best one's,
/// by estimate; behind them the best ones at another depth. At most 12.
inline std::vector<GemmPairPlan> pair_plan_candidates(const GemmPair& pair, Arithmetic arithmetic, const Multiprocessors& gpu) {
  constexpr size_t kMost = 9, kMostOfAKind = 3, kDeepened = 3;
  constexpr double kWorthATry = 1.5;
  std::vector<std::pair<double, GemmPairPlan>> plans;
  for_each_pair_plan(pair, arithmetic, gpu,
                     [&](const GemmPairPlan& plan) { plans.emplace_back(pair_cycles(pair, arithmetic, plan, gpu), plan); });
  std::stable_sort(plans.begin(), plans.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<GemmPairPlan> best;
  for (const auto& [cycles, plan] : plans) {
    const auto of_kind =
        std::count_if(best.begin(), best.end(), [tile = plan.first.tile](const GemmPairPlan& p) { return p.first.tile == tile; });
    const bool room = best.size() < kMost && static_cast<size_t>(of_kind) < kMostOfAKind;
    if (room && cycles <= kWorthATry * plans.front().first) best.push_back(plan);
  }
  for (size_t i = 0, count = std::min(best.size(), kDeepened); i < count; ++i) {
    for_depths(pair, arithmetic, GemmPairPlan(best[i]), gpu, [&](const GemmPairPlan& plan) {
      if (plan != best[i]) best.push_back(plan);
    });
  }
  return best;
}

}  // namespace forger::FORGER_DEVICE
