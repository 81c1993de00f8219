// Rows of a table: batches from a data set that lives on the device.
#pragma once

#include <cstdint>

#include "kernels/cuda/stream.h"

namespace forger::FORGER_DEVICE {

/// out[i,:] = table[indices[i],:] / 127.5 - 1 for i in [0, count); rows of `row` elements. Indices are not checked.
void gather(const uint8_t* table, const int32_t* indices, int64_t count, int64_t row, float* out, Stream stream);
/// out[i,:] = table[indices[i],:].
void gather(const float* table, const int32_t* indices, int64_t count, int64_t row, float* out, Stream stream);

}  // namespace forger::FORGER_DEVICE
