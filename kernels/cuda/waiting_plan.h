// Which plan a convolution gets that goes on with the batch norm behind it, and whether it should (gemm_columns.h). Pure, as
// gemm_plan.h.
//
// Its blocks wait for each other, so all of them must be under way at once: a launch fits if no multiprocessor gets more blocks
// than the kernels' launch bounds promise and its shared memory holds. Larger problems, and those that such a plan would slow
// down by more than it saves, keep the batch norm's own launches.
#pragma once

#include <optional>

#include "kernels/cuda/gemm_plan.h"

namespace forger::FORGER_DEVICE {

/// Are all its blocks under way at once on so many of the multiprocessors, and is it one launch?
constexpr bool fits_at_once(const GemmSize& size, Arithmetic arithmetic, const GemmPlan& plan, const Multiprocessors& gpu,
                            int together) {
  const int room = blocks_per_sm(arithmetic, plan, gpu), per_sm = plan.vectors ? room : std::min(room, kScalarBlocksPerSm);
  return (plan.splits == 1 || plan.group > 0) && blocks_of(size, arithmetic, plan) <= int64_t{together} * per_sm;
}

/// What comes behind the product: so many launches that pass over the result so often, or, in the launch of the product, so many
/// passes of each tile's block over what is its own.
struct Sequel {
  int launches, passes, block_passes;
};
inline constexpr Sequel kNormalise{.launches = 1, .passes = 2, .block_passes = 1};
/// With few rows; with more it is two launches.
inline constexpr Sequel kNormGrad{.launches = 1, .passes = 4, .block_passes = 3};

/// In launches of its own; the same cycles as gemm_cycles.
constexpr double sequel_cycles(const GemmSize& size, const Sequel& sequel, const Multiprocessors& gpu) {
  constexpr double kLaunch = 5000, kPerCycle = 6;
  return sequel.launches * kLaunch + sequel.passes * static_cast<double>(size.outputs) / (kPerCycle * gpu.count);
}
/// In the launch of the product.
constexpr double waiting_cycles(const GemmSize& size, Arithmetic arithmetic, const GemmPlan& plan, const Sequel& sequel,
                                const Multiprocessors& gpu) {
  constexpr double kWait = 3000, kBlockPerCycle = 8, kPerCycle = 6;  // a ticket, and a flag that is seen
  const TileSize tile = tile_size(arithmetic, plan.tile);
  const int64_t whole_tiles = blocks_of(size, arithmetic, plan) / plan.splits;
  const auto tiles = static_cast<double>(whole_tiles);
  return kWait + sequel.block_passes * static_cast<double>(tile.m) * tile.n *
                     std::max(1 / kBlockPerCycle, tiles / (kPerCycle * gpu.count));
}

/// The fastest plan by estimate that fits on `together` of the multiprocessors, if it is faster than the best plan of all with
/// the sequel in launches of its own.
constexpr std::optional<GemmPlan> plan_waiting_gemm(const GemmSize& size, Arithmetic arithmetic, bool vectors,
                                                    const Sequel& sequel, const Multiprocessors& gpu, int together) {
  const GemmPlan apart = plan_gemm(size, arithmetic, vectors, gpu, true);
  double best_cycles = gemm_cycles(size, arithmetic, apart, gpu) + sequel_cycles(size, sequel, gpu);
  std::optional<GemmPlan> best;
  for_each_plan(size, arithmetic, vectors, true, gpu, [&](const GemmPlan& plan) {
    if (!fits_at_once(size, arithmetic, plan, gpu, together)) return;
    const double cycles = gemm_cycles(size, arithmetic, plan, gpu) + waiting_cycles(size, arithmetic, plan, sequel, gpu);
    if (cycles < best_cycles) {
      best_cycles = cycles;
      best = plan;
    }
  });
  return best;
}

/// Plans that fit and may be the fastest in truth, as plan_candidates.
inline std::vector<GemmPlan> waiting_plan_candidates(const GemmSize& size, Arithmetic arithmetic, bool vectors,
                                                     const Sequel& sequel, const Multiprocessors& gpu, int together) {
  std::vector<std::pair<double, GemmPlan>> plans;
  for_each_plan(size, arithmetic, vectors, true, gpu, [&](const GemmPlan& plan) {
    if (!fits_at_once(size, arithmetic, plan, gpu, together)) return;
    plans.emplace_back(gemm_cycles(size, arithmetic, plan, gpu) + waiting_cycles(size, arithmetic, plan, sequel, gpu), plan);
  });
  std::vector<GemmPlan> best = best_plans(size, arithmetic, gpu, std::move(plans));
  std::erase_if(best, [&](const GemmPlan& plan) { return !fits_at_once(size, arithmetic, plan, gpu, together); });
  return best;
}

}  // namespace forger::FORGER_DEVICE
