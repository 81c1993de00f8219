// Broadcast, reduction, concatenation, slice and padding in plain loops over multi-indices.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace forger::reference {

using Extents = std::vector<int64_t>;

inline int64_t product(const Extents& shape) {
  int64_t n = 1;
  for (int64_t e : shape) n *= e;
  return n;
}

/// Strides, in elements, of a dense row-major tensor.
inline Extents dense_strides(const Extents& shape) {
  Extents strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

/// Calls f(multi-index, linear index) for every element in row-major order.
template <class F>
void for_each_index(const Extents& shape, F f) {
  Extents index(shape.size(), 0);
  const int64_t n = product(shape);
  for (int64_t linear = 0; linear < n; ++linear) {
    f(index, linear);
    for (size_t axis = shape.size(); axis-- > 0;) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
}

/// numpy's rule: `from` is right-aligned with `to`; extents of 1 repeat.
template <class T>
void broadcast_to(const Extents& from, const Extents& to, const T* x, T* y) {
  const Extents dense = dense_strides(from);
  const size_t added = to.size() - from.size();
  for_each_index(to, [&](const Extents& index, int64_t linear) {
    int64_t source = 0;
    for (size_t axis = 0; axis < from.size(); ++axis) source += from[axis] == 1 ? 0 : index[added + axis] * dense[axis];
    y[linear] = x[source];
  });
}

/// y = sum of x over `axes`; y is dense over the remaining axes. Sums run in double, in index order.
template <class T>
void reduce_sum(const Extents& shape, const std::vector<int64_t>& axes, const T* x, T* y) {
  Extents kept = shape;
  for (int64_t axis : axes) kept[static_cast<size_t>(axis)] = 1;
  const Extents strides = dense_strides(kept);
  std::vector<double> sums(static_cast<size_t>(product(kept)), 0.0);
  for_each_index(shape, [&](const Extents& index, int64_t linear) {
    int64_t target = 0;
    for (size_t axis = 0; axis < shape.size(); ++axis) target += kept[axis] == 1 ? 0 : index[axis] * strides[axis];
    sums[static_cast<size_t>(target)] += static_cast<double>(x[linear]);
  });
  std::transform(sums.begin(), sums.end(), y, [](double v) { return static_cast<T>(v); });
}

/// Copies x (of `shape`) into y (of `to`) at `offset`; what lies around it is left as it is.
template <class T>
void copy_into(const Extents& shape, const T* x, const Extents& to, const Extents& offset, T* y) {
  const Extents strides = dense_strides(to);
  for_each_index(shape, [&](const Extents& index, int64_t linear) {
    int64_t target = 0;
    for (size_t axis = 0; axis < shape.size(); ++axis) target += (offset[axis] + index[axis]) * strides[axis];
    y[target] = x[linear];
  });
}

/// y (of `to`) += p * part (of `shape`), from `begin` on.
template <class T>
void window_add(const Extents& shape, const T* part, T p, const Extents& to, const Extents& begin, T* y) {
  const Extents strides = dense_strides(to);
  for_each_index(shape, [&](const Extents& index, int64_t linear) {
    int64_t target = 0;
    for (size_t axis = 0; axis < shape.size(); ++axis) target += (begin[axis] + index[axis]) * strides[axis];
    y[target] += p * part[linear];
  });
}

/// y (of `size`) = x (of `shape`) from `begin` on.
template <class T>
void slice(const Extents& shape, const T* x, const Extents& begin, const Extents& size, T* y) {
  const Extents strides = dense_strides(shape);
  for_each_index(size, [&](const Extents& index, int64_t linear) {
    int64_t source = 0;
    for (size_t axis = 0; axis < shape.size(); ++axis) source += (begin[axis] + index[axis]) * strides[axis];
    y[linear] = x[source];
  });
}

}  // namespace forger::reference
