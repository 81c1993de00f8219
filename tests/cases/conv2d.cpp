#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "tests/cases/case.h"

namespace forger {
namespace {

struct ConvSize {
  const char* name;
  int64_t n, h, w, c, k, r, s, stride;
  Padding padding = Padding::same;
  bool bias = false;      // of the two ops that have one
  bool gradients = true;  // checked, unless the problem is too large for hundreds of runs
};

// Small versions of the recipes' layers, and what breaks kernels: odd sizes, batch 1, channels that no vector width
// divides, filters larger than the image, padding that differs before and after.
const ConvSize kSizes[] = {
    {"k3 s2 from one channel", 2, 28, 28, 1, 32, 3, 3, 2},
    {"k4 s2", 3, 14, 14, 32, 64, 4, 4, 2},
    {"k4 s2 odd", 2, 7, 7, 64, 48, 4, 4, 2},
    {"k4 s1 asymmetric", 2, 14, 14, 32, 32, 4, 4, 1},
    {"k4 s1 on 4x4", 3, 4, 4, 128, 64, 4, 4, 1},
    {"k7 to one channel", 2, 28, 28, 64, 1, 7, 7, 1},
    {"k7 to three channels", 2, 12, 12, 64, 3, 7, 7, 1},
    {"k4 s1 many tiles", 2, 20, 20, 16, 32, 4, 4, 1},
    {"k4 s2 many tiles", 3, 28, 28, 16, 32, 4, 4, 2},
    {"k1", 2, 5, 5, 7, 9, 1, 1, 1},
    {"odd everything", 1, 5, 9, 3, 5, 3, 2, 3},
    {"filter larger than image", 2, 3, 2, 5, 4, 5, 5, 1},
    {"one pixel", 1, 1, 1, 1, 1, 1, 1, 1},
    {"valid k5", 2, 12, 11, 3, 16, 5, 5, 1, Padding::valid},
    {"valid s2", 2, 11, 12, 16, 17, 3, 3, 2, Padding::valid},
    {"k4 s2 with bias", 2, 8, 8, 12, 20, 4, 4, 2, Padding::same, true},
    {"k7 to one channel with bias", 1, 9, 10, 20, 1, 7, 7, 1, Padding::same, true},
    {"k3 s2 from three channels with bias", 1, 9, 11, 3, 20, 3, 3, 2, Padding::same, true},
    {"k5 from two channels", 1, 7, 9, 2, 18, 5, 5, 1},
    {"k4 s2 from four channels, wide", 1, 8, 9, 4, 40, 4, 4, 2, Padding::same, true},
    {"k1 to three channels", 2, 4, 5, 33, 3, 1, 1, 1},
    {"stride larger than filter, with bias", 1, 8, 8, 8, 12, 2, 2, 3, Padding::valid, true},
    {"one row, wide", 1, 1, 70, 4, 8, 1, 3, 1},
    {"128 to 130 channels", 2, 9, 9, 128, 132, 3, 3, 1, Padding::same, false, false},
};

// With a batch norm's statistics: partial tiles, split reductions, columns that are no multiple of four, so many tiles of rows
// that they are merged in two levels, one row, and kernels that leave the statistics to another.
const ConvSize kWithStatistics[] = {
    {"k4 s2 with statistics", 3, 14, 14, 16, 64, 4, 4, 2},
    {"k4 s1 on 4x4 with bias and statistics", 3, 4, 4, 128, 36, 4, 4, 1, Padding::same, true},
    {"valid s2 with statistics", 2, 11, 12, 16, 17, 3, 3, 2, Padding::valid},
    {"k1 on many rows with bias and statistics", 2, 30, 31, 8, 68, 1, 1, 1, Padding::same, true},
    {"k3 s2 from one channel with bias and statistics", 2, 14, 14, 1, 32, 3, 3, 2, Padding::same, true},
    {"k3 to one channel with statistics", 2, 6, 6, 20, 1, 3, 3, 1},
    {"k3 to 132 channels with bias and statistics", 2, 9, 9, 20, 132, 3, 3, 1, Padding::same, true},
};

/// Filter widths, strides and channels for which kernels of few channels have variants of their own.
std::vector<ConvSize> few_channel_sizes() {
  std::vector<ConvSize> sizes;
  for (const int64_t few : {1, 3}) {
    for (const int64_t s : {1, 3, 4, 5, 7}) {
      sizes.push_back({"few inputs", 1, 6, 11, few, 33, 2, s, 1, Padding::same, false, false});
      sizes.push_back({"few inputs s2", 1, 6, 11, few, 33, 2, s, 2, Padding::same, false, false});
      sizes.push_back({"few outputs", 1, 6, 11, 33, few, 2, s, 1, Padding::same, false, false});
    }
  }
  return sizes;
}

Conv2dShape shape_of(const ConvSize& z) {
  Conv2dShape s{.N = z.n, .H = z.h, .W = z.w, .C = z.c, .K = z.k, .R = z.r, .S = z.s};
  s.stride_h = s.stride_w = z.stride;
  if (z.padding == Padding::same) {
    s.P = same_output_size(z.h, z.stride);
    s.Q = same_output_size(z.w, z.stride);
    s.pad_top = same_padding_before(z.h, z.r, z.stride);
    s.pad_left = same_padding_before(z.w, z.s, z.stride);
  } else {
    s.P = (z.h - z.r) / z.stride + 1;
    s.Q = (z.w - z.s) / z.stride + 1;
  }
  return s;
}

/// The same node with a bias, as fuse_bias makes it.
void with_bias(Value y, Value bias) {
  const Node& node = y.graph().producer(y.id());
  const Value inputs[] = {y.graph().value(node.inputs[0]), y.graph().value(node.inputs[1]), bias};
  y.graph().add(*node.op, inputs, node.attributes);
}

/// The node that fuse_batch_norm_statistics makes; `more`: a bias or not, running mean and variance.
void with_statistics(Value x, Value w, const Conv2dShape& s, std::span<const Value> more) {
  Attributes attributes = x.graph().producer(conv2d(x, w, s).id()).attributes;
  attributes.set("statistics", int64_t{1});
  attributes.set("epsilon", 1e-3);
  attributes.set("momentum", 0.8);
  std::vector<Value> inputs = {x, w};
  inputs.insert(inputs.end(), more.begin(), more.end());
  x.graph().add(find_op("conv2d"), inputs, std::move(attributes));
}

}  // namespace

void add_conv2d_cases(std::vector<Case>& cases) {
  std::vector<ConvSize> sizes(std::begin(kSizes), std::end(kSizes));
  for (const ConvSize& z : few_channel_sizes()) sizes.push_back(z);
  for (const ConvSize& z : sizes) {
    const Conv2dShape s = shape_of(z);
    const std::string name = z.gradients ? z.name : fmt::format("{} {}-{} S{}", z.name, z.c, z.k, z.s);
    const Shape x{s.N, s.H, s.W, s.C}, w{s.K, s.R, s.S, s.C}, y{s.N, s.P, s.Q, s.K};
    const auto add = [&](const char* op, Shape a, Shape b, Value (*f)(Value, Value, const Conv2dShape&)) {
      cases.push_back({.op = op,
                       .name = name,
                       .inputs = {{a}, {b}},
                       .build = [f, s](std::span<const Value> v) { f(v[0], v[1], s); },
                       .exact_on_integers = true,
                       .check_gradients = z.gradients && s.flops() < 4'000'000,  // hundreds of runs of the plain loops
                       .atol = 2e-6});
    };
    const auto add_biased = [&](const char* op, Shape a, Shape b, int64_t channels,
                                Value (*f)(Value, Value, const Conv2dShape&)) {
      cases.push_back({.op = op,
                       .name = name,
                       .inputs = {{a}, {b}, {{channels}}},
                       .build = [f, s](std::span<const Value> v) { with_bias(f(v[0], v[1], s), v[2]); },
                       .exact_on_integers = true,
                       .check_gradients = false,  // a fused node has none
                       .atol = 2e-6});
    };
    if (z.bias) {
      add_biased("conv2d", x, w, s.K, conv2d);
      add_biased("conv2d_input_grad", y, w, s.C, conv2d_input_grad);
      add("conv2d_filter_grad", x, y, conv2d_filter_grad);
      continue;
    }
    add("conv2d", x, w, conv2d);
    add("conv2d_input_grad", y, w, conv2d_input_grad);
    add("conv2d_filter_grad", x, y, conv2d_filter_grad);
  }
  for (const ConvSize& z : kWithStatistics) {
    const Conv2dShape s = shape_of(z);
    const CaseInput variance{{s.K}, CaseInput::Kind::real, 0.5, 2};
    std::vector<CaseInput> inputs = {{{s.N, s.H, s.W, s.C}}, {{s.K, s.R, s.S, s.C}}, {{s.K}}, variance};
    if (z.bias) inputs.insert(inputs.begin() + 2, CaseInput{{s.K}, CaseInput::Kind::real, 2, 5});  // a large mean
    cases.push_back({.op = "conv2d",
                     .name = z.name,
                     .inputs = std::move(inputs),
                     .build = [s](std::span<const Value> v) { with_statistics(v[0], v[1], s, v.subspan(2)); },
                     .check_gradients = false,
                     .atol = 3e-6});
  }
}

}  // namespace forger
