// The size of a GPU, for everything that shapes launches ahead of time.
#pragma once

#include <cstddef>

namespace forger {

/// An H200's by default.
struct Multiprocessors {
  int count = 132;
  size_t shared_bytes = 228 << 10;  // shared memory of each; a block gets at most kReservedShared less

  bool operator==(const Multiprocessors&) const = default;
};

/// Of a multiprocessor's shared memory, for each block that it holds: the system's.
inline constexpr size_t kReservedShared = 1 << 10;

}  // namespace forger
