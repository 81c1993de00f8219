#include "kernels/simd/gather.h"

#include "kernels/common/errors.h"
#include "kernels/simd/leaf/leaf.h"
#include "kernels/simd/threads.h"

namespace forger::simd {

namespace {

void check_indices(const int32_t* indices, int64_t batch, int64_t rows) {
  for (int64_t b = 0; b < batch; ++b) {
    if (indices[b] < 0 || indices[b] >= rows) {
      fail<DataError>("gather: index {} at position {} of the batch; the data has {} rows", indices[b], b, rows);
    }
  }
}

}  // namespace

void gather_u8(const uint8_t* data, int64_t rows, const int32_t* indices, int64_t batch, int64_t row, float* out, Isa isa) {
  check_indices(indices, batch, rows);
  const Leaf& kernels = leaf(isa);
  const Split chunks = split(batch, row);
  parallel_for(chunks.pieces, [&](int64_t i) {
    for (int64_t b = chunks.begin(i); b < chunks.end(i); ++b) {
      kernels.bytes_to_unit(data + indices[b] * row, out + b * row, row);
    }
  });
}

void gather_f32(const float* data, int64_t rows, const int32_t* indices, int64_t batch, int64_t row, float* out) {
  check_indices(indices, batch, rows);
  const Split chunks = split(batch, row);
  parallel_for(chunks.pieces, [&](int64_t i) {
    for (int64_t b = chunks.begin(i); b < chunks.end(i); ++b) {
      std::copy_n(data + indices[b] * row, row, out + b * row);
    }
  });
}

}  // namespace forger::simd
