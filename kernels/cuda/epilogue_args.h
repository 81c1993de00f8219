// What a launcher is told of an epilogue (kernels/common/epilogue.h).
#pragma once

#include <span>

#include "kernels/common/elementwise.h"
#include "kernels/cuda/tape_source.h"

namespace forger::FORGER_DEVICE {

/// A tape whose first input is the kernel's result, and where its other inputs are. Default: no epilogue.
struct EpilogueArgs {
  const ElementwiseTape* tape = nullptr;
  std::span<const ElementwiseInput<float>> operands = {};
  TapeSource source = {};
};

}  // namespace forger::FORGER_DEVICE
