// Joins tensors along an axis, and copies one.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/cuda/stream.h"

namespace forger::FORGER_DEVICE {

/// One tensor of a concatenation, seen as [rows, bytes]: all axes before the joined one, and the rest.
struct ConcatPart {
  const void* data;
  int64_t bytes;  // of one row
};

/// out[r,:] = parts[0][r,:], parts[1][r,:], ... for r in [0, rows). Any element type. Pointers are aligned to 16 bytes.
void concat(std::span<const ConcatPart> parts, int64_t rows, void* out, Stream stream);

/// Copies within the device's memory.
void copy(const void* from, void* to, int64_t bytes, Stream stream);

}  // namespace forger::FORGER_DEVICE
