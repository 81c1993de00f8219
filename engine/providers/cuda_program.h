// From a graph of small nodes to the instructions of kernels/cuda/block_program.h.
#pragma once

#include <optional>

#include "engine/providers/provider.h"
#include "kernels/cuda/block_program.h"

namespace forger::FORGER_DEVICE {

/// Why no block can run `program`; none if it can. Its leading product, if it has one, is not the block's.
std::optional<std::string> translation_declines(const Graph& program);

/// A program ready to be launched. Addresses are numbered: the program's inputs, its outputs, values in the workspace.
struct Translation {
  std::vector<BlockProgram> launches;
  std::vector<size_t> workspace_offsets;
  size_t workspace_bytes = 0;
  BlockPlace product = 0;  // number of the address of the leading product's result, if there is one

  /// Inputs and outputs as given to the node, workspace values behind them.
  std::vector<void*> addresses(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) const;
};
/// For blocks of `threads`.
Translation translate(const Graph& program, unsigned threads);

}  // namespace forger::FORGER_DEVICE
