#include "models/collapse.h"

#include <algorithm>
#include <optional>

#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"

namespace forger {
namespace {

/// One axis of the pair: stride, sizes and paddings of the transposed convolution (T), filter and padding of the other (C).
struct Axis {
  int64_t in, out, stride, t_taps, t_pad, c_taps, c_pad;

  /// Rows of u outside its image that exist and are read: this many before it, and after.
  int64_t before() const { return std::min(t_pad, c_pad); }
  int64_t after() const {
    const int64_t made = stride * (in - 1) + t_taps - t_pad - out, read = c_taps - 1 - c_pad;
    return std::max<int64_t>(std::min(made, read), 0);
  }
};

/// Rows [first, first + count) of u, which may lie outside its image.
struct Window {
  int64_t first, count;
};

/// Along one axis: which rows of the other tensor have to do with a window of u, through which taps, and the padding of
/// that part of the convolution.
struct Part {
  int64_t first, count;  // rows
  int64_t first_tap, taps, padding;
};

/// Rows of x that make the window.
Part source_of(const Axis& a, const Window& w) {
  const int64_t lowest = w.first + a.t_pad, highest = lowest + w.count - 1;  // stride * row + tap is one of these
  const int64_t first = std::max<int64_t>(lowest - a.t_taps + a.stride, 0) / a.stride;
  const int64_t last = std::min(highest / a.stride, a.in - 1);
  const int64_t first_tap = std::max<int64_t>(lowest - a.stride * last, 0);
  const int64_t last_tap = std::min(highest - a.stride * first, a.t_taps - 1);
  return {first, last - first + 1, first_tap, last_tap - first_tap + 1, lowest - a.stride * first - first_tap};
}

/// Rows of y that read the window.
Part readers_of(const Axis& a, const Window& w) {
  const int64_t lowest = w.first + a.c_pad, highest = lowest + w.count - 1;  // row + tap is one of these
  const int64_t first = std::max<int64_t>(lowest - a.c_taps + 1, 0), last = std::min(highest, a.out - 1);
  const int64_t first_tap = std::max<int64_t>(lowest - last, 0), last_tap = std::min(highest - first, a.c_taps - 1);
  return {first, last - first + 1, first_tap, last_tap - first_tap + 1, lowest - first - first_tap};
}

/// The taps of a filter [K,R,S,C] that both parts use.
Value taps_of(Value filter, const Part& rows, const Part& columns) {
  if (rows.taps == filter.dim(1) && columns.taps == filter.dim(2)) return filter;
  return slice(filter, {0, rows.first_tap, columns.first_tap, 0}, {filter.dim(0), rows.taps, columns.taps, filter.dim(3)});
}

/// The transposed convolution that made a value.
struct Transposed {
  Value x, filter, bias;  // bias: none if there is none
  Conv2dShape shape;
};
std::optional<Transposed> transposed(Value u) {
  Graph& graph = u.graph();
  const Node* node = &graph.producer(u.id());
  Transposed t;
  if (node->op->name == "bias_add") {
    t.bias = graph.value(node->inputs[1]);
    node = &graph.producer(node->inputs[0]);
  }
  if (node->op->name != "conv2d_input_grad" || node->inputs.size() != 2) return std::nullopt;
  t.x = graph.value(node->inputs[0]);
  t.filter = graph.value(node->inputs[1]);
  t.shape = conv2d_shape(node->attributes);
  return t;
}

/// E as the filter of a transposed convolution, [K of T, R, S, K of C].
Value composite_filter(Value t, Value c) {
  const Conv2dShape s{.N = t.dim(0),
                      .H = t.dim(1),
                      .W = t.dim(2),
                      .C = t.dim(3),
                      .K = c.dim(0),
                      .R = c.dim(1),
                      .S = c.dim(2),
                      .P = t.dim(1) + c.dim(1) - 1,
                      .Q = t.dim(2) + c.dim(2) - 1,
                      .pad_top = c.dim(1) - 1,
                      .pad_left = c.dim(2) - 1};
  return conv2d(t, c, s);
}

/// What C makes of a window of u, at its place in zeros of y's shape.
Value part_of_window(const Transposed& t, Value c, const Axis& rows, const Axis& columns, const Window& at_rows,
                     const Window& at_columns) {
  const Part from_rows = source_of(rows, at_rows), from_columns = source_of(columns, at_columns);
  const Part to_rows = readers_of(rows, at_rows), to_columns = readers_of(columns, at_columns);
  const Value up_filter = taps_of(t.filter, from_rows, from_columns), down_filter = taps_of(c, to_rows, to_columns);
  const int64_t n = t.x.dim(0);
  Conv2dShape up = t.shape;
  up.H = at_rows.count, up.W = at_columns.count;
  up.P = from_rows.count, up.Q = from_columns.count;
  up.R = from_rows.taps, up.S = from_columns.taps;
  up.pad_top = from_rows.padding, up.pad_left = from_columns.padding;
  const Value x = slice(t.x, {0, from_rows.first, from_columns.first, 0}, {n, up.P, up.Q, t.x.dim(3)});
  const Value u = conv2d_input_grad(x, up_filter, up);
  const Conv2dShape down{.N = n,
                         .H = up.H,
                         .W = up.W,
                         .C = up.C,
                         .K = c.dim(0),
                         .R = to_rows.taps,
                         .S = to_columns.taps,
                         .P = to_rows.count,
                         .Q = to_columns.count,
                         .pad_top = to_rows.padding,
                         .pad_left = to_columns.padding};
  return pad(conv2d(u, down_filter, down), {0, to_rows.first, to_columns.first, 0}, {n, rows.out, columns.out, c.dim(0)});
}

}  // namespace

Value collapsed_conv2d(Value x, Value w) {
  const auto t = transposed(x);
  if (!t || t->shape.R < t->shape.stride_h || t->shape.S < t->shape.stride_w) return {};
  const Conv2dShape& s = t->shape;
  const Axis rows{s.P, s.H, s.stride_h, s.R, s.pad_top, w.dim(1), same_padding_before(s.H, w.dim(1), 1)};
  const Axis columns{s.Q, s.W, s.stride_w, s.S, s.pad_left, w.dim(2), same_padding_before(s.W, w.dim(2), 1)};

  Conv2dShape whole = s;
  whole.C = w.dim(0);
  whole.R = s.R + w.dim(1) - 1, whole.S = s.S + w.dim(2) - 1;
  whole.pad_top = s.pad_top + w.dim(1) - 1 - rows.c_pad;
  whole.pad_left = s.pad_left + w.dim(2) - 1 - columns.c_pad;
  Value y = conv2d_input_grad(t->x, composite_filter(t->filter, w), whole);

  // Rows above and below the image over its extended width, columns beside it over its height: each pixel once.
  const Window all_rows{0, rows.out}, wide{-columns.before(), columns.before() + columns.out + columns.after()};
  const auto take_away = [&](const Window& at_rows, const Window& at_columns) {
    if (at_rows.count > 0 && at_columns.count > 0) y = sub(y, part_of_window(*t, w, rows, columns, at_rows, at_columns));
  };
  take_away({-rows.before(), rows.before()}, wide);
  take_away({rows.out, rows.after()}, wide);
  take_away(all_rows, {-columns.before(), columns.before()});
  take_away(all_rows, {columns.out, columns.after()});

  if (!t->bias) return y;
  // The first bias reaches y through as many taps as lie inside the image: one picture for the whole batch.
  const Value picture = conv2d(broadcast_to(t->bias, {1, s.H, s.W, s.C}), w, 1, Padding::same);
  return add(y, broadcast_to(reshape(picture, {s.H, s.W, w.dim(0)}), y.shape()));
}

}  // namespace forger
