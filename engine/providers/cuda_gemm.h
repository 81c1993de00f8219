// What the rows of matrix products and of a layer's gradients share.
#pragma once

#include "engine/ops/epilogue.h"
#include "engine/providers/adapters.h"
#include "engine/providers/cuda_tables.h"
#include "kernels/cuda/epilogue_args.h"
#include "kernels/cuda/gemm_plan.h"

namespace forger::FORGER_DEVICE {

/// Calls launch(EpilogueArgs) with the node's epilogue, if it has one.
class Epilogues {
 public:
  explicit Epilogues(const NodeView& v) : view_(epilogue_view(v)) {}

  template <class Launch>
  void pass(const KernelArgs& a, const Launch& launch) const {
    if (!view_) return launch(EpilogueArgs{});
    ElementwiseInput<float> operands[kEpilogueOperands];
    for (size_t i = 0; i < view_->periods.size(); ++i) operands[i] = {a.in<float>(view_->first + i), view_->periods[i]};
    launch(EpilogueArgs{&view_->tape, {operands, view_->periods.size()}, tape_source(view_->tape, a)});
  }

 private:
  std::optional<EpilogueView> view_;
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
