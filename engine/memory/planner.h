// Where every value lives: variables and inputs in their own storage, all else in one arena, packed by lifetime.
#pragma once

#include "engine/graph/graph.h"

namespace forger {

/// A block of the arena that is needed from launch `first` to launch `last`, both included.
struct BlockRequest {
  size_t bytes;
  int first, last;
};

struct Packing {
  std::vector<size_t> offsets;  // one per request
  size_t bytes = 0;             // size of the arena
};

/// Greedy by size (Pisarchyk and Lee 2020): the largest block first, each at the lowest offset where it overlaps none
/// of those placed before it that live at the same time. Offsets are multiples of `alignment`.
Packing pack(const std::vector<BlockRequest>& requests, size_t alignment);

/// Where a value's bytes are.
struct Location {
  enum class Kind { arena, variable, input };
  Kind kind = Kind::arena;
  size_t index = 0;  // of the block, of the variable in Graph::variables(), or of the input node
};

struct MemoryPlan {
  std::vector<Location> values;       // by ValueId
  std::vector<size_t> block_offsets;  // by block
  std::vector<BlockRequest> blocks;   // lifetimes, for explain and tests
  std::vector<int> workspace_block;   // by node; -1: none
  std::vector<bool> in_place;         // by ValueId: took over an input's memory
  struct Copy {
    ValueId from;
    size_t variable;
  };
  std::vector<Copy> final_copies;  // updates that could not be made in place
  size_t arena_bytes = 0;
  size_t bytes_without_reuse = 0;  // every value and workspace in memory of its own
  size_t variable_bytes = 0;
};

/// Plans a graph whose nodes run in order. workspace_bytes: one entry per node.
///
/// A value may take over an input's memory if the op allows it, sizes match and nothing reads the input later. The
/// memory of a variable is taken over only on the way to that variable's own update; so weights and moments are
/// updated in place, unless something still reads the old ones.
///
/// `slack`: for so many nodes after its last use a block's memory is left alone. Nodes that share no memory can run side by
/// side; a tight plan would chain them (see engine/runtime/dependencies.h).
MemoryPlan plan_memory(const Graph& graph, const std::vector<size_t>& workspace_bytes, int slack = 0, size_t alignment = 64);

}  // namespace forger
