// Slices, pads, broadcasts and additions to a window: copies whose source or target is found by index arithmetic.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/cuda/stream.h"

namespace forger::FORGER_DEVICE {

/// One axis of the output: index i reads the source at (i - before) * stride if 0 <= i - before < inside, else is zero.
struct CopyAxis {
  int64_t extent, stride, before, inside;
};

/// An output element at (i0, i1, ...) is the source's at offset + sum (i - before) * stride. Elements, row-major.
struct StridedCopy {
  std::vector<CopyAxis> axes;  // outermost first
  int64_t offset = 0;
  int64_t bytes = 4;  // of an element: 1, 4, 8 or 16
};
inline constexpr size_t kMaxCopyAxes = 6;

/// Merges axes that follow each other in both tensors and takes wider elements where all accesses allow it. Callers check
/// that at most kMaxCopyAxes axes are left.
StridedCopy simplified(StridedCopy copy);

/// slice: `size` elements of x [shape] from `begin` on.
StridedCopy slice_copy(const std::vector<int64_t>& shape, const std::vector<int64_t>& begin, const std::vector<int64_t>& size,
                       int64_t element_bytes);
/// pad: x [shape] at `before` in zeros of shape `to`.
StridedCopy pad_copy(const std::vector<int64_t>& shape, const std::vector<int64_t>& before, const std::vector<int64_t>& to,
                     int64_t element_bytes);
/// broadcast_to by numpy's rule: `from` is right-aligned with `to`, extents of 1 repeat.
StridedCopy broadcast_copy(const std::vector<int64_t>& from, const std::vector<int64_t>& to, int64_t element_bytes);

/// `copy` is simplified and has at most kMaxCopyAxes axes. x and y do not overlap and are aligned to 16 bytes.
void strided_copy(const StridedCopy& copy, const void* x, void* y, Stream stream);

/// Adds p * part [size of the window] to a window of y, f32; `window` is the slice_copy that would read it. Aligned as above.
void window_add(const StridedCopy& window, const float* part, float p, float* y, Stream stream);

}  // namespace forger::FORGER_DEVICE
