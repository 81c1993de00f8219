#include "kernels/onednn/conv2d.h"

#include "kernels/common/errors.h"

namespace forger::onednn {
namespace {

constexpr auto kDirect = dnnl::algorithm::convolution_direct;

dnnl::convolution_forward::primitive_desc forward_desc(const Primitive& p, const Conv2dDescs& d, bool bias,
                                                       const dnnl::primitive_attr& attr) {
  using Forward = dnnl::convolution_forward;
  constexpr auto kind = dnnl::prop_kind::forward_training;
  return bias ? describe<Forward>(p.engine(), attr, kind, kDirect, d.x, d.filter, d.bias, d.y, d.strides, d.pad_before,
                                  d.pad_after)
              : describe<Forward>(p.engine(), attr, kind, kDirect, d.x, d.filter, d.y, d.strides, d.pad_before, d.pad_after);
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

Conv2d::Conv2d(const Conv2dShape& shape, bool bias) : bias_(bias) {
  const Conv2dDescs d(shape);
  const auto pd = forward_desc(primitive_, d, bias, Primitive::attributes());
  primitive_.set(dnnl::convolution_forward(pd), pd.scratchpad_desc());
  primitive_.add_argument(DNNL_ARG_SRC, d.x);
  primitive_.add_argument(DNNL_ARG_DST, d.y);
  if (bias) primitive_.add_argument(DNNL_ARG_BIAS, d.bias);
  primitive_.add_reordered_input(DNNL_ARG_WEIGHTS, d.filter_krsc, pd.weights_desc());
}

void Conv2d::run(const float* x, const float* w, const float* bias, float* y, void* workspace) {
  primitive_.bind(DNNL_ARG_SRC, x);
  primitive_.bind_reordered(DNNL_ARG_WEIGHTS, w);
  if (bias_) primitive_.bind(DNNL_ARG_BIAS, bias);
  primitive_.bind(DNNL_ARG_DST, y);
  primitive_.run(workspace);
}

Conv2dInputGrad::Conv2dInputGrad(const Conv2dShape& shape, bool bias) : shape_(shape), bias_(bias) {
  const Conv2dDescs d(shape);
  const auto attr = Primitive::attributes();
  const auto pd =
      describe_gradient<dnnl::convolution_backward_data>(primitive_.engine(), attr, forward_desc(primitive_, d, false, attr),
                                                         kDirect, d.x, d.filter, d.y, d.strides, d.pad_before, d.pad_after);
  primitive_.set(dnnl::convolution_backward_data(pd), pd.scratchpad_desc());
  primitive_.add_argument(DNNL_ARG_DIFF_SRC, d.x);
  primitive_.add_argument(DNNL_ARG_DIFF_DST, d.y);
  primitive_.add_reordered_input(DNNL_ARG_WEIGHTS, d.filter_krsc, pd.weights_desc());
}

void Conv2dInputGrad::run(const float* dy, const float* w, const float* bias, float* dx, void* workspace) {
  primitive_.bind(DNNL_ARG_DIFF_DST, dy);
  primitive_.bind_reordered(DNNL_ARG_WEIGHTS, w);
  primitive_.bind(DNNL_ARG_DIFF_SRC, dx);
  primitive_.run(workspace);
  if (!bias_) return;
  // oneDNN's backward-data primitives take no bias; its deconvolution adds it just like this.
  const int64_t pixels = shape_.N * shape_.H * shape_.W, channels = shape_.C;
#pragma omp parallel for
  for (int64_t i = 0; i < pixels; ++i) {
    float* const pixel = dx + i * channels;  // (C)
    for (int64_t c = 0; c < channels; ++c) pixel[c] += bias[c];
  }
}

Conv2dFilterGrad::Conv2dFilterGrad(const Conv2dShape& shape) {
  const Conv2dDescs d(shape);
  const auto attr = Primitive::attributes();
  const auto pd =
      describe_gradient<dnnl::convolution_backward_weights>(primitive_.engine(), attr, forward_desc(primitive_, d, false, attr),
                                                            kDirect, d.x, d.filter, d.y, d.strides, d.pad_before, d.pad_after);
  primitive_.set(dnnl::convolution_backward_weights(pd), pd.scratchpad_desc());
  primitive_.add_argument(DNNL_ARG_SRC, d.x);
  primitive_.add_argument(DNNL_ARG_DIFF_DST, d.y);
  primitive_.add_reordered_output(DNNL_ARG_DIFF_WEIGHTS, d.filter_krsc, pd.diff_weights_desc());
}

void Conv2dFilterGrad::run(const float* x, const float* dy, float* dw, void* workspace) {
  primitive_.bind(DNNL_ARG_SRC, x);
  primitive_.bind(DNNL_ARG_DIFF_DST, dy);
  primitive_.bind_reordered(DNNL_ARG_DIFF_WEIGHTS, dw);
  primitive_.run(workspace);
}

}  // namespace forger::onednn
