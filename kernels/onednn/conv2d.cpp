#include "kernels/onednn/conv2d.h"

#include "kernels/common/errors.h"
#include "kernels/onednn/one_thread.h"
#include "kernels/threads/pool.h"

namespace forger::onednn {
namespace {

constexpr auto kDirect = dnnl::algorithm::convolution_direct;
constexpr int64_t kMostPieces = 64;
// A filter's gradient is as large for a piece as for the whole batch: more pieces take more memory, and time to add them up.
constexpr int64_t kMostPartialSums = 8;
constexpr int64_t kPartialSumBytes = 8 << 20;
constexpr int64_t kPartialSumFlops = 25'000'000;
// Elements of a filter's gradient that one thread adds up at a time.
constexpr int64_t kSumElements = 16384;

dnnl::convolution_forward::primitive_desc forward_desc(const Conv2dDescs& d, bool bias) {
  using Forward = dnnl::convolution_forward;
  constexpr auto kind = dnnl::prop_kind::forward_training;
  const auto attr = own_scratchpad();
  return bias ? describe<Forward>(cpu_engine(), attr, kind, kDirect, d.x, d.filter, d.bias, d.y, d.strides, d.pad_before,
                                  d.pad_after)
              : describe<Forward>(cpu_engine(), attr, kind, kDirect, d.x, d.filter, d.y, d.strides, d.pad_before, d.pad_after);
}

/// Describes a gradient, of which `forward` is the hint that oneDNN asks for.
template <class P>
typename P::primitive_desc gradient_desc(const Conv2dDescs& d) {
  return describe_gradient<P>(cpu_engine(), own_scratchpad(), forward_desc(d, false), kDirect, d.x, d.filter, d.y, d.strides,
                              d.pad_before, d.pad_after);
}

/// Calls make(descs) for one piece of each length. It returns the filter's descriptor; the second length takes the layout that
/// oneDNN chose for the first.
template <class Make>
dnnl::memory::desc make_primitives(const BatchPieces& p, const Make& make) {
  const OneThread one_thread;
  std::optional<dnnl::memory::desc> filter;
  for (const int64_t piece : {int64_t{0}, p.cut.pieces - 1}) {
    if (filter && kind_of(p.cut, piece) == 0) continue;
    Conv2dShape s = p.shape;
    s.N = p.cut.length(piece);
    Conv2dDescs d(s);
    if (filter) d.filter = *filter;
    filter = make(d);
  }
  return *filter;
}

int64_t most_partial_sums(const Conv2dShape& s) {
  const int64_t fitting = kPartialSumBytes / (s.filter_size() * int64_t{sizeof(float)});
  return std::clamp<int64_t>(std::min(fitting, s.flops() / kPartialSumFlops), 1, kMostPartialSums);
}

}  // namespace

std::optional<std::string> supports(const Conv2dShape& s) {
  const int64_t after_h = (s.P - 1) * s.stride_h + s.R - s.H - s.pad_top;
  const int64_t after_w = (s.Q - 1) * s.stride_w + s.S - s.W - s.pad_left;
  if (after_h <= -s.stride_h || after_w <= -s.stride_w) {
    return fmt::format("oneDNN computes every output that fits; {}x{} of {}x{} input stops short", s.P, s.Q, s.H, s.W);
  }
  if (s.pad_top < 0 || s.pad_left < 0) return "oneDNN takes no negative padding";
  return std::nullopt;
}

BatchPieces::BatchPieces(const Conv2dShape& s, int64_t most_pieces)
    : shape(s), cut(onednn::cut(s.N, s.flops(), most_pieces)), threads(num_threads()) {}

void BatchPieces::run(int64_t piece, int slot, std::initializer_list<Operand> operands, std::byte* scratchpads) {
  primitives[kind_of(cut, piece)].run(slot, operands,
                                      scratchpads + static_cast<std::size_t>(slot) * scratchpad_bytes(primitives));
}

void FilteredPieces::set_layout(const dnnl::memory::desc& theirs) {
  reorder = FilterReorder(Conv2dDescs(shape).filter_krsc, theirs, shape);
  if (reorder.needed()) filter_bytes = round_up(theirs.get_size());
}

const void* FilteredPieces::filter(const float* w, std::byte* workspace) {
  reorder.run(w, workspace);
  return reorder.needed() ? static_cast<const void*>(workspace) : w;
}

Conv2d::Conv2d(const Conv2dShape& shape, bool bias) : pieces_(shape, kMostPieces), bias_(bias) {
  pieces_.set_layout(make_primitives(pieces_, [&](const Conv2dDescs& d) {
    const auto pd = forward_desc(d, bias);
    Primitive::Operands operands{{DNNL_ARG_SRC, d.x}, {DNNL_ARG_WEIGHTS, pd.weights_desc()}, {DNNL_ARG_DST, d.y}};
    if (bias) operands.emplace_back(DNNL_ARG_BIAS, d.bias);
    pieces_.primitives.emplace_back(dnnl::convolution_forward(pd), pd.scratchpad_desc(), operands, pieces_.threads);
    return pd.weights_desc();
  }));
}

void Conv2d::run(const float* x, const float* w, const float* bias, float* y, void* workspace) {
  const Conv2dShape& s = pieces_.shape;
  auto* const base = static_cast<std::byte*>(workspace);
  const void* const filter = pieces_.filter(w, base);
  parallel_for(
      pieces_.cut.pieces,
      [&](int64_t piece, int slot) {
        const int64_t n = pieces_.cut.begin(piece);
        pieces_.run(piece, slot,
                    {{DNNL_ARG_SRC, x + n * s.H * s.W * s.C},
                     {DNNL_ARG_WEIGHTS, filter},
                     {DNNL_ARG_BIAS, bias_ ? bias : nullptr},
                     {DNNL_ARG_DST, y + n * s.P * s.Q * s.K}},
                    base + pieces_.filter_bytes);
      },
      pieces_.threads);
}

Conv2dInputGrad::Conv2dInputGrad(const Conv2dShape& shape, bool bias) : pieces_(shape, kMostPieces), bias_(bias) {
  pieces_.set_layout(make_primitives(pieces_, [&](const Conv2dDescs& d) {
    const auto pd = gradient_desc<dnnl::convolution_backward_data>(d);
    const Primitive::Operands operands{{DNNL_ARG_DIFF_DST, d.y}, {DNNL_ARG_WEIGHTS, pd.weights_desc()}, {DNNL_ARG_DIFF_SRC, d.x}};
    pieces_.primitives.emplace_back(dnnl::convolution_backward_data(pd), pd.scratchpad_desc(), operands, pieces_.threads);
    return pd.weights_desc();
  }));
}

void Conv2dInputGrad::run(const float* dy, const float* w, const float* bias, float* dx, void* workspace) {
  const Conv2dShape& s = pieces_.shape;
  auto* const base = static_cast<std::byte*>(workspace);
  const void* const filter = pieces_.filter(w, base);
  parallel_for(
      pieces_.cut.pieces,
      [&](int64_t piece, int slot) {
        const int64_t n = pieces_.cut.begin(piece);
        float* const out = dx + n * s.H * s.W * s.C;
        pieces_.run(piece, slot,
                    {{DNNL_ARG_DIFF_DST, dy + n * s.P * s.Q * s.K}, {DNNL_ARG_WEIGHTS, filter}, {DNNL_ARG_DIFF_SRC, out}},
                    base + pieces_.filter_bytes);
        if (!bias_) return;
        // oneDNN's backward-data primitives take no bias; its deconvolution adds it just like this.
        const int64_t pixels = pieces_.cut.length(piece) * s.H * s.W;
        for (int64_t i = 0; i < pixels; ++i) {
          float* const pixel = out + i * s.C;
          for (int64_t c = 0; c < s.C; ++c) pixel[c] += bias[c];
        }
      },
      pieces_.threads);
}

Conv2dFilterGrad::Conv2dFilterGrad(const Conv2dShape& shape) : pieces_(shape, most_partial_sums(shape)) {
  const auto filter = make_primitives(pieces_, [&](const Conv2dDescs& d) {
    const auto pd = gradient_desc<dnnl::convolution_backward_weights>(d);
    const Primitive::Operands operands{
        {DNNL_ARG_SRC, d.x}, {DNNL_ARG_DIFF_DST, d.y}, {DNNL_ARG_DIFF_WEIGHTS, pd.diff_weights_desc()}};
    pieces_.primitives.emplace_back(dnnl::convolution_backward_weights(pd), pd.scratchpad_desc(), operands, pieces_.threads);
    return pd.diff_weights_desc();
  });
  pieces_.reorder = FilterReorder(filter, Conv2dDescs(shape).filter_krsc, shape);
  pieces_.filter_bytes = round_up(filter.get_size());
}

std::size_t Conv2dFilterGrad::workspace_bytes() const {
  const std::size_t sums = writes_dw() ? 0 : static_cast<std::size_t>(pieces_.cut.pieces) * pieces_.filter_bytes;
  return sums + pieces_.workspace_bytes();
}

void Conv2dFilterGrad::run(const float* x, const float* dy, float* dw, void* workspace) {
  const Conv2dShape& s = pieces_.shape;
  const int64_t pieces = pieces_.cut.pieces, floats = static_cast<int64_t>(pieces_.filter_bytes / sizeof(float));
  auto* const partial = static_cast<float*>(workspace);  // (piece, filter in oneDNN's layout)
  auto* const scratchpads = static_cast<std::byte*>(workspace) + (writes_dw() ? 0 : pieces * floats * int64_t{sizeof(float)});
  parallel_for(
      pieces,
      [&](int64_t piece, int slot) {
        const int64_t n = pieces_.cut.begin(piece);
        pieces_.run(piece, slot,
                    {{DNNL_ARG_SRC, x + n * s.H * s.W * s.C},
                     {DNNL_ARG_DIFF_DST, dy + n * s.P * s.Q * s.K},
                     {DNNL_ARG_DIFF_WEIGHTS, writes_dw() ? dw : partial + piece * floats}},
                    scratchpads);
      },
      pieces_.threads);
  if (writes_dw()) return;
  float* const sum = pieces_.reorder.needed() ? partial : dw;
  const int64_t total = pieces_.reorder.needed() ? floats : s.filter_size();  // without the padding of a cache line
  if (pieces > 1) {
    const Split parts(total, kSumElements);
    parallel_for(parts.pieces, [&](int64_t part) {
      const int64_t begin = parts.begin(part), end = parts.end(part);
      for (int64_t i = begin; i < end; ++i) sum[i] = partial[i] + partial[floats + i];
      for (int64_t piece = 2; piece < pieces; ++piece) {
        const float* const more = partial + piece * floats;
        for (int64_t i = begin; i < end; ++i) sum[i] += more[i];
      }
    });
  }
  pieces_.reorder.run(partial, dw);
}

}  // namespace forger::onednn
