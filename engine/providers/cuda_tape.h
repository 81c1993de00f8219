// For the tables of the CUDA provider: a node's tape as launchers take it.
#pragma once

#include "engine/providers/adapters.h"
#include "kernels/common/epilogue.h"
#include "kernels/cuda/epilogue_args.h"

namespace forger::FORGER_DEVICE {

/// Calls launch(EpilogueArgs) with a node's tape, if it has one.
class TapeOf {
 public:
  explicit TapeOf(std::optional<EpilogueView> view) : view_(std::move(view)) {}

  template <class Launch>
  void pass(const KernelArgs& a, const Launch& launch) const {
    if (!view_) return launch(EpilogueArgs{});
    ElementwiseInput<float> operands[kEpilogueOperands];
    for (size_t i = 0; i < view_->periods.size(); ++i) operands[i] = {a.in<float>(view_->first + i), view_->periods[i]};
    TapeSource source;
    if (const size_t seed = a.inputs.size() - 2; draws_random(view_->tape))
      source = {a.in<uint64_t>(seed), a.in<int64_t>(seed + 1)};
    launch(EpilogueArgs{&view_->tape, {operands, view_->periods.size()}, source});
  }

 private:
  std::optional<EpilogueView> view_;
};

}  // namespace forger::FORGER_DEVICE
