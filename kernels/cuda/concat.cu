// out[r,:] = parts[0][r,:], parts[1][r,:], ...: one launch for all parts.
//
// Threads: blocks are dealt out to the parts, a fixed number of units each. A unit is the widest of 16, 4 and 1 bytes that
// divides every part's row. Each thread moves kUnits units, a block's width apart, all loads before the first store.
// Along the first axis there is one row and no division matters; along an inner one a unit's row comes from a
// multiplication (divisor.h). Shared memory: none. Limits: kMaxParts parts a launch, more take more launches.
#include "kernels/cuda/concat.h"

#include "kernels/cuda/divisor.h"

namespace forger::FORGER_DEVICE {
namespace {

constexpr unsigned kThreads = 128;
constexpr int kUnits = 4;
constexpr int kMaxParts = 48;

struct Part {
  const void* data;
  int64_t total;   // units
  int64_t offset;  // of its first unit in a row of the output
  Divisor row;     // units of one row
};
struct Parts {
  Part part[kMaxParts];
  uint32_t first_block[kMaxParts];
  int count;
  int64_t pitch;  // units of a row of the output
};
static_assert(sizeof(Parts) <= 4000);  // kernel parameters have 4 KiB

template <class Unit>
__global__ void __launch_bounds__(kThreads) concat_copy_kernel(const __grid_constant__ Parts parts, Unit* __restrict__ out) {
  begin_kernel();
  int p = 0;
  while (p + 1 < parts.count && parts.first_block[p + 1] <= blockIdx.x) ++p;
  const Part& part = parts.part[p];
  const auto* from = static_cast<const Unit*>(part.data);
  const int64_t first = int64_t{blockIdx.x - parts.first_block[p]} * (kUnits * kThreads) + threadIdx.x;
  Unit v[kUnits] = {};
#pragma unroll
  for (int k = 0; k < kUnits; ++k) {
    const int64_t i = first + k * int64_t{kThreads};
    if (i < part.total) v[k] = from[i];
  }
#pragma unroll
  for (int k = 0; k < kUnits; ++k) {
    const int64_t i = first + k * int64_t{kThreads};
    if (i >= part.total) continue;
    const int64_t r = part.row.divide(i);
    out[r * parts.pitch + part.offset + (i - r * part.row.value)] = v[k];
  }
}

template <class Unit>
void launch_parts(std::span<const ConcatPart> all, int64_t rows, void* out, Stream stream) {
  const auto size = static_cast<int64_t>(sizeof(Unit));
  int64_t pitch = 0, offset = 0;
  for (const ConcatPart& p : all) pitch += p.bytes / size;
  for (size_t begin = 0; begin < all.size(); begin += kMaxParts) {
    Parts parts{};
    parts.pitch = pitch;
    uint32_t blocks = 0;
    for (const ConcatPart& p : all.subspan(begin, std::min<size_t>(kMaxParts, all.size() - begin))) {
      const int64_t row = p.bytes / size;
      if (row == 0) continue;
      parts.part[parts.count] = {p.data, rows * row, offset, Divisor(row)};
      parts.first_block[parts.count++] = blocks;
      blocks += static_cast<uint32_t>(ceil_div(rows * row, kUnits * kThreads));
      offset += row;
    }
    if (blocks > 0) {
      launch(concat_copy_kernel<Unit>, {.grid_x = blocks, .threads = kThreads}, stream, parts, static_cast<Unit*>(out));
    }
  }
}

}  // namespace

void concat(std::span<const ConcatPart> parts, int64_t rows, void* out, Stream stream) {
  int64_t all = 0;  // divisible by what divides each
  for (const ConcatPart& p : parts) all |= p.bytes;
  if (all % 16 == 0) {
    launch_parts<uint4>(parts, rows, out, stream);
  } else if (all % 4 == 0) {
    launch_parts<uint32_t>(parts, rows, out, stream);
  } else {
    launch_parts<uint8_t>(parts, rows, out, stream);
  }
}

void copy(const void* from, void* to, int64_t bytes, Stream stream) {
  const ConcatPart whole[] = {{from, bytes}};
  concat(whole, 1, to, stream);
}

}  // namespace forger::FORGER_DEVICE
