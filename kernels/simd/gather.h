// Batches from a data set in memory.
#pragma once

#include <cstdint>

#include "kernels/common/isa.h"

namespace forger::simd {

/// out[b, :] = data[indices[b], :] / 127.5 - 1: bytes 0 ... 255 become -1 ... 1.
/// data [rows, row], indices [batch], out [batch, row]. Throws DataError for an index outside [0, rows).
void gather_u8(const uint8_t* data, int64_t rows, const int32_t* indices, int64_t batch, int64_t row, float* out,
               Isa isa = best_isa());

/// out[b, :] = data[indices[b], :].
void gather_f32(const float* data, int64_t rows, const int32_t* indices, int64_t batch, int64_t row, float* out);

}  // namespace forger::simd
