// y[i0, i1, ...] = x[offset + sum (i - before) * stride], or zero where an index falls outside: slice, pad, broadcast_to;
// and the way back, y[offset + sum i * stride] += p * x[i0, i1, ...]: window_add.
//
// Threads: each makes kUnits units of y, a block's width apart, so stores are coalesced; loads are as far as x's inner
// axis is. A unit is the widest of 16, 8, 4 and 1 bytes that every access can be cut into. Axes are divided out by
// multiplication (divisor.h), innermost first. Shared memory: none. Limits: 6 axes after merging.
#include "kernels/cuda/strided_copy.h"

#include "kernels/cuda/divisor.h"

namespace forger::FORGER_DEVICE {
namespace {

constexpr unsigned kThreads = 128;
constexpr int kUnits = 4;
constexpr int kAdds = 2;  // units of a thread in window_add, which keeps their places

struct Axes {
  struct Axis {
    Divisor extent;
    int64_t stride, before, inside;
  } axis[kMaxCopyAxes];  // innermost first
  int count;
  int64_t offset, total;
};

template <class Unit>
__global__ void __launch_bounds__(kThreads)
    strided_copy_kernel(const __grid_constant__ Axes axes, const Unit* __restrict__ x, Unit* __restrict__ y) {
  begin_kernel();
  const int64_t first = int64_t{blockIdx.x} * (kUnits * kThreads) + threadIdx.x;
  Unit v[kUnits] = {};
#pragma unroll
  for (int k = 0; k < kUnits; ++k) {
    int64_t rest = first + k * int64_t{kThreads}, source = axes.offset;
    if (rest >= axes.total) continue;
    bool inside = true;
    for (int d = 0; d < axes.count; ++d) {
      const Axes::Axis& axis = axes.axis[d];
      const int64_t outer = axis.extent.divide(rest), i = rest - outer * axis.extent.value - axis.before;
      inside = inside && i >= 0 && i < axis.inside;
      source += i * axis.stride;
      rest = outer;
    }
    if (inside) v[k] = x[source];
  }
#pragma unroll
  for (int k = 0; k < kUnits; ++k) {
    const int64_t i = first + k * int64_t{kThreads};
    if (i < axes.total) y[i] = v[k];
  }
}

__device__ __forceinline__ float plus(float y, float p, float x) {
  return fmaf(p, x, y);
}
__device__ __forceinline__ float2 plus(float2 y, float p, float2 x) {
  return make_float2(fmaf(p, x.x, y.x), fmaf(p, x.y, y.y));
}
__device__ __forceinline__ float4 plus(float4 y, float p, float4 x) {
  return make_float4(fmaf(p, x.x, y.x), fmaf(p, x.y, y.y), fmaf(p, x.z, y.z), fmaf(p, x.w, y.w));
}

/// axes: of a slice of y, all of it inside.
template <class Unit>
__global__ void __launch_bounds__(kThreads)
    window_add_f32_kernel(const __grid_constant__ Axes axes, const Unit* __restrict__ part, float p, Unit* __restrict__ y) {
  begin_kernel();
  const int64_t first = int64_t{blockIdx.x} * (kAdds * kThreads) + threadIdx.x;
  Unit old[kAdds] = {}, add[kAdds] = {};
  int64_t target[kAdds] = {};
#pragma unroll
  for (int k = 0; k < kAdds; ++k) {
    const int64_t i = first + k * int64_t{kThreads};
    if (i >= axes.total) continue;
    int64_t rest = i;
    target[k] = axes.offset;
    for (int d = 0; d < axes.count; ++d) {
      const int64_t outer = axes.axis[d].extent.divide(rest);
      target[k] += (rest - outer * axes.axis[d].extent.value) * axes.axis[d].stride;
      rest = outer;
    }
    old[k] = y[target[k]];
    add[k] = part[i];
  }
#pragma unroll
  for (int k = 0; k < kAdds; ++k) {
    if (first + k * int64_t{kThreads} < axes.total) y[target[k]] = plus(old[k], p, add[k]);
  }
}

std::vector<int64_t> dense_strides(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

template <class Unit>
void launch_copy(const Axes& axes, const void* x, void* y, Stream stream) {
  launch(strided_copy_kernel<Unit>,
         {.grid_x = static_cast<unsigned>(ceil_div(axes.total, kUnits * kThreads)), .threads = kThreads}, stream, axes,
         static_cast<const Unit*>(x), static_cast<Unit*>(y));
}

}  // namespace

StridedCopy simplified(StridedCopy copy) {
  std::vector<CopyAxis> merged;  // outermost first
  for (const CopyAxis& axis : copy.axes) {
    if (axis.extent == 1 && axis.inside == 1) continue;  // its index is always 0
    const bool whole = axis.before == 0 && axis.inside == axis.extent;
    if (!merged.empty() && whole && merged.back().stride == axis.stride * axis.extent) {
      CopyAxis& outer = merged.back();
      outer = {outer.extent * axis.extent, axis.stride, outer.before * axis.extent, outer.inside * axis.extent};
    } else {
      merged.push_back(axis);
    }
  }
  copy.axes = std::move(merged);
  if (copy.axes.empty() || copy.axes.back().stride != 1) return copy;
  // All that the innermost axis and the places of its runs are multiples of.
  const auto divides = [&](int64_t f) {
    const CopyAxis& inner = copy.axes.back();
    bool all = copy.offset % f == 0 && inner.extent % f == 0 && inner.before % f == 0 && inner.inside % f == 0;
    for (size_t i = 0; i + 1 < copy.axes.size(); ++i) all = all && copy.axes[i].stride % f == 0;
    return all;
  };
  const auto widen = [&](int64_t bytes) {
    const int64_t f = bytes / copy.bytes;
    if (f < 2 || !divides(f)) return;
    copy.bytes = bytes;
    copy.offset /= f;
    CopyAxis& inner = copy.axes.back();
    inner = {inner.extent / f, 1, inner.before / f, inner.inside / f};
    for (size_t i = 0; i + 1 < copy.axes.size(); ++i) copy.axes[i].stride /= f;
  };
  for (const int64_t bytes : {16, 8, 4}) widen(bytes);
  return copy;
}

StridedCopy slice_copy(const std::vector<int64_t>& shape, const std::vector<int64_t>& begin, const std::vector<int64_t>& size,
                       int64_t element_bytes) {
  StridedCopy copy{.axes = {}, .offset = 0, .bytes = element_bytes};
  const auto strides = dense_strides(shape);
  for (size_t i = 0; i < shape.size(); ++i) {
    copy.offset += begin[i] * strides[i];
    copy.axes.push_back({size[i], strides[i], 0, size[i]});
  }
  return simplified(copy);
}

StridedCopy pad_copy(const std::vector<int64_t>& shape, const std::vector<int64_t>& before, const std::vector<int64_t>& to,
                     int64_t element_bytes) {
  StridedCopy copy{.axes = {}, .offset = 0, .bytes = element_bytes};
  const auto strides = dense_strides(shape);
  for (size_t i = 0; i < shape.size(); ++i) copy.axes.push_back({to[i], strides[i], before[i], shape[i]});
  return simplified(copy);
}

StridedCopy broadcast_copy(const std::vector<int64_t>& from, const std::vector<int64_t>& to, int64_t element_bytes) {
  StridedCopy copy{.axes = {}, .offset = 0, .bytes = element_bytes};
  const auto strides = dense_strides(from);
  const size_t added = to.size() - from.size();
  for (size_t i = 0; i < to.size(); ++i) {
    const bool repeats = i < added || from[i - added] == 1;
    copy.axes.push_back({to[i], repeats ? 0 : strides[i - added], 0, to[i]});
  }
  return simplified(copy);
}

namespace {

Axes axes_of(const StridedCopy& copy) {
  Axes axes{};
  axes.offset = copy.offset;
  axes.total = 1;
  for (size_t i = copy.axes.size(); i-- > 0;) {
    const CopyAxis& a = copy.axes[i];
    axes.total *= a.extent;
    if (a.extent > 0) axes.axis[axes.count++] = {Divisor(a.extent), a.stride, a.before, a.inside};
  }
  return axes;
}

template <class Unit>
void launch_window_add(const Axes& axes, const float* part, float p, float* y, Stream stream) {
  launch(window_add_f32_kernel<Unit>,
         {.grid_x = static_cast<unsigned>(ceil_div(axes.total, kAdds * kThreads)), .threads = kThreads}, stream, axes,
         reinterpret_cast<const Unit*>(part), p, reinterpret_cast<Unit*>(y));
}

}  // namespace

void strided_copy(const StridedCopy& copy, const void* x, void* y, Stream stream) {
  const Axes axes = axes_of(copy);
  if (axes.total == 0) return;
  switch (copy.bytes) {
    case 16:
      return launch_copy<uint4>(axes, x, y, stream);
    case 8:
      return launch_copy<uint2>(axes, x, y, stream);
    case 4:
      return launch_copy<uint32_t>(axes, x, y, stream);
    default:
      return launch_copy<uint8_t>(axes, x, y, stream);
  }
}

void window_add(const StridedCopy& window, const float* part, float p, float* y, Stream stream) {
  const Axes axes = axes_of(window);
  if (axes.total == 0) return;
  if (window.bytes == 16) return launch_window_add<float4>(axes, part, p, y, stream);
  if (window.bytes == 8) return launch_window_add<float2>(axes, part, p, y, stream);
  launch_window_add<float>(axes, part, p, y, stream);
}

}  // namespace forger::FORGER_DEVICE
