// What the rows of matrix products and of a layer's gradients share.
#pragma once

#include "engine/ops/epilogue.h"
#include "engine/providers/adapters.h"
#include "engine/providers/cuda_tables.h"
#include "engine/providers/cuda_tape.h"
#include "kernels/cuda/gemm_pair_plan.h"

namespace forger::FORGER_DEVICE {

/// The node's epilogue.
struct Epilogues : TapeOf {
  explicit Epilogues(const NodeView& v) : TapeOf(epilogue_view(v)) {}
};

/// By TileKind.
inline constexpr const char* kTileNames[] = {"small", "tall", "wide", "large"};

/// A plan as text: tile, splits, splits of a group, stages.
inline std::string to_text(const GemmPlan& plan) {
  return fmt::format("{} {} {} {}", kTileNames[static_cast<int>(plan.tile)], plan.splits, plan.group, plan.stages);
}

inline std::string to_text(const GemmPairPlan& plan) {
  return to_text(plan.first) + ", " + to_text(plan.second);
}

/// A plan in words, for a reader.
inline std::string in_words(const GemmPlan& plan, Arithmetic arithmetic) {
  const TileSize tile = tile_size(arithmetic, plan.tile);
  std::string splits;
  if (plan.splits > 1) splits = fmt::format(", {} splits", plan.splits);
  if (plan.splits > plan.group && plan.group > 0) splits += fmt::format(" in groups of {}", plan.group);
  if (plan.splits > 1 && plan.group == 0) splits += " summed by a second launch";
  return fmt::format("tiles of {}x{}{}, {} stages{}", tile.m, tile.n, splits, plan.stages, plan.vectors ? "" : ", scalar copies");
}

/// The plan that was timed for the node, if one was. for_each(f) calls f with every plan that the node may have. Throws DataError
/// if what is said to be timed is none of them.
template <class Plan, class ForEach>
std::optional<Plan> timed_plan(const NodeView& v, const ForEach& for_each) {
  const auto& tuning = v.target().tuning;
  const auto known = tuning ? tuning->find(problem_key(v)) : Tuning::const_iterator();
  if (!tuning || known == tuning->end()) return std::nullopt;
  std::optional<Plan> found;
  for_each([&](const Plan& plan) {
    if (to_text(plan) == known->second) found = plan;
  });
  if (!found) fail<DataError>("{}: '{}' is no plan for it; delete the file of timed plans", v.node().path, known->second);
  return found;
}

inline GemmScratch scratch_of(const KernelArgs& a) {
  return {static_cast<float*>(a.workspace), a.counters};
}

/// Of kernels that round their operands.
inline constexpr Accuracy kTf32{.operands = Precision::tf32}, kBf16{.operands = Precision::bf16};

}  // namespace forger::FORGER_DEVICE
