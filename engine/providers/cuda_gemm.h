// What the rows of matrix products and of a layer's gradients share.
#pragma once

#include "engine/ops/epilogue.h"
#include "engine/providers/adapters.h"
#include "engine/providers/cuda_tables.h"
#include "engine/providers/cuda_tape.h"
#include "kernels/cuda/gemm_plan.h"

namespace forger::FORGER_DEVICE {

/// The node's epilogue.
struct Epilogues : TapeOf {
  explicit Epilogues(const NodeView& v) : TapeOf(epilogue_view(v)) {}
};

/// By TileKind.
inline constexpr const char* kTileNames[] = {"small", "tall", "wide", "large"};

/// A plan as text, and back: tile, splits, splits of a group.
inline std::string to_text(const GemmPlan& plan) {
  return fmt::format("{} {} {}", kTileNames[static_cast<int>(plan.tile)], plan.splits, plan.group);
}

inline GemmScratch scratch_of(const KernelArgs& a) {
  return {static_cast<float*>(a.workspace), a.counters};
}

/// Of kernels that round their operands.
inline constexpr Accuracy kTf32{.operands = Precision::tf32}, kBf16{.operands = Precision::bf16};

}  // namespace forger::FORGER_DEVICE
