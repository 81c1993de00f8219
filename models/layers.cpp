#include "models/layers.h"

#include "engine/ops/ops.h"
#include "models/collapse.h"
#include "models/spectral_norm.h"

namespace forger {

std::string Layers::next_name(const std::string& kind) {
  return kind + "_" + std::to_string(++counts_[kind]);
}

void Layers::row(const std::string& name, const std::string& type, int64_t parameters) {
  Shape shape = x_.shape();
  shape.erase(shape.begin());
  net_.add_row({name, type, shape, parameters});
}

Value Layers::kernel(const std::string& name, Shape shape, Initializer initializer, int64_t rows) {
  const Value w = net_.parameter(name, std::move(shape), initializer);
  return net_.options().spectral_norm ? spectral_norm(net_, name, w, rows, pass_.training && pass_.track_statistics) : w;
}

Layers& Layers::dense(int64_t units, DenseInit init) {
  const std::string name = next_name("dense");
  const PathScope scope(net_.graph(), name);
  const int64_t fan_in = x_.dim(-1);
  const bool keras = init == DenseInit::keras;
  const Value w = kernel(name + "/kernel", {fan_in, units},
                         keras ? Initializer::glorot_uniform(fan_in, units) : Initializer::torch_linear(fan_in), fan_in);
  const Value b = net_.parameter(name + "/bias", {units}, keras ? Initializer::zeros() : Initializer::torch_linear(fan_in));
  x_ = bias_add(matmul(x_, w), b);
  row(name, "Dense", fan_in * units + units);
  return *this;
}

Layers& Layers::conv2d(int64_t filters, int64_t window, int64_t stride) {
  const std::string name = next_name("conv2d");
  const PathScope scope(net_.graph(), name);
  const int64_t channels = x_.dim(3), taps = window * window;
  const Value w = kernel(name + "/kernel", {filters, window, window, channels},
                         Initializer::glorot_uniform(taps * channels, taps * filters), filters);
  const Value b = net_.parameter(name + "/bias", {filters}, Initializer::zeros());
  Value y;
  if (net_.options().collapse && stride == 1) y = collapsed_conv2d(x_, w);
  x_ = bias_add(y ? y : forger::conv2d(x_, w, stride, Padding::same), b);
  row(name, "Conv2D", taps * channels * filters + filters);
  return *this;
}

Layers& Layers::conv2d_transpose(int64_t filters, int64_t window, int64_t stride) {
  return conv2d_transpose_to(x_.dim(1) * stride, x_.dim(2) * stride, filters, window, stride);
}

Layers& Layers::conv2d_transpose_to(int64_t height, int64_t width, int64_t filters, int64_t window, int64_t stride) {
  const std::string name = next_name("conv2d_transpose");
  const PathScope scope(net_.graph(), name);
  const int64_t channels = x_.dim(3), taps = window * window;
  // The filter is that of the convolution whose input gradient this is: K = channels in, C = channels out.
  const Value w = kernel(name + "/kernel", {channels, window, window, filters},
                         Initializer::glorot_uniform(taps * channels, taps * filters), channels * taps);
  const Value b = net_.parameter(name + "/bias", {filters}, Initializer::zeros());
  x_ = bias_add(forger::conv2d_transpose(x_, w, stride, height, width), b);
  row(name, "Conv2DTranspose", taps * channels * filters + filters);
  return *this;
}

Layers& Layers::max_pool(int64_t window) {
  const std::string name = next_name("max_pooling2d");
  const PathScope scope(net_.graph(), name);
  x_ = forger::max_pool(x_, window);
  row(name, "MaxPooling2D", 0);
  return *this;
}

Layers& Layers::batch_norm(double momentum, double epsilon) {
  const std::string name = next_name("batch_normalization");
  const PathScope scope(net_.graph(), name);
  const Shape c{x_.dim(-1)};
  const Value gamma = net_.parameter(name + "/gamma", c, Initializer::ones());
  const Value beta = net_.parameter(name + "/beta", c, Initializer::zeros());
  const Value mean = net_.state(name + "/running_mean", c, Initializer::zeros());
  const Value var = net_.state(name + "/running_var", c, Initializer::ones());
  if (pass_.training) {
    const BatchNorm bn = batch_norm_training(x_, gamma, beta, mean, var, epsilon, momentum);
    x_ = bn.y;
    if (pass_.track_statistics) {
      net_.set(name + "/running_mean", bn.running_mean);
      net_.set(name + "/running_var", bn.running_var);
    }
  } else {
    x_ = batch_norm_inference(x_, gamma, beta, mean, var, epsilon);
  }
  row(name, "BatchNormalization", 4 * c[0]);
  return *this;
}

Layers& Layers::activation(const std::string& kind, const std::string& type, ScalarOp op, double alpha) {
  const std::string name = next_name(kind);
  const PathScope scope(net_.graph(), name);
  x_ = unary(op, x_, alpha);
  row(name, type, 0);
  return *this;
}

Layers& Layers::relu() {
  return activation("re_lu", "ReLU", ScalarOp::relu);
}
Layers& Layers::leaky_relu(double alpha) {
  return activation("leaky_re_lu", "LeakyReLU", ScalarOp::leaky_relu, alpha);
}
Layers& Layers::tanh() {
  return activation("tanh", "Tanh", ScalarOp::tanh);
}
Layers& Layers::sigmoid() {
  return activation("sigmoid", "Sigmoid", ScalarOp::sigmoid);
}

Layers& Layers::layer_norm(double epsilon) {
  const std::string name = next_name("layer_normalization");
  const PathScope scope(net_.graph(), name);
  const Shape shape = x_.shape(), c{x_.dim(-1)};
  std::vector<int64_t> axes;
  for (size_t i = 1; i < shape.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  const Value gamma = net_.parameter(name + "/gamma", c, Initializer::ones());
  const Value beta = net_.parameter(name + "/beta", c, Initializer::zeros());
  const Value centred = sub(x_, broadcast_to(reduce_mean(x_, axes, true), shape));
  const Value inv_std = unary(ScalarOp::rsqrt, shift(reduce_mean(square(centred), axes, true), epsilon));  // [N,1,...]
  x_ = mul(mul(centred, broadcast_to(inv_std, shape)), broadcast_to(gamma, shape));
  x_ = bias_add(x_, beta);
  row(name, "LayerNormalization", 2 * c[0]);
  return *this;
}

Layers& Layers::norm(double momentum) {
  switch (net_.options().norm) {
    case NetworkOptions::Norm::batch:
      return batch_norm(momentum);
    case NetworkOptions::Norm::layer:
      return layer_norm();
    case NetworkOptions::Norm::none:
      break;
  }
  return *this;
}

Layers& Layers::maxout(int64_t units, int64_t pieces) {
  dense(units * pieces);
  const std::string name = next_name("maxout");
  const PathScope scope(net_.graph(), name);
  const int64_t n = x_.dim(0);
  Value greatest = slice(x_, {0, 0}, {n, units});
  for (int64_t i = 1; i < pieces; ++i) {
    greatest = binary(ScalarOp::maximum, greatest, slice(x_, {0, i * units}, {n, units}));
  }
  x_ = greatest;
  row(name, "Maxout", 0);
  return *this;
}

Layers& Layers::minibatch_stddev() {
  if (!net_.options().minibatch_stddev) return *this;
  const std::string name = next_name("minibatch_stddev");
  const PathScope scope(net_.graph(), name);
  const Value centred = sub(x_, broadcast_to(reduce_mean(x_, {0}, true), x_.shape()));
  const Value stddev = unary(ScalarOp::sqrt, shift(reduce_mean(square(centred), {0}), 1e-8));  // [H,W,C]
  Shape one_channel = x_.shape();
  one_channel.back() = 1;
  x_ = concat({x_, broadcast_to(mean_all(stddev), one_channel)}, static_cast<int64_t>(one_channel.size()) - 1);
  row(name, "MinibatchStddev", 0);
  return *this;
}

Layers& Layers::logits(DenseInit init) {
  const Value features = x_;  // [N,F]
  dense(1, init);
  if (!net_.options().projection) return *this;
  const std::string name = "projection";
  const PathScope scope(net_.graph(), name);
  const int64_t classes = pass_.labels.dim(1), width = features.dim(1);
  const Value table = kernel(name + "/embedding", {classes, width}, Initializer::glorot_uniform(classes, width), classes);
  const Value embedded = matmul(pass_.labels, table);  // [N,F]
  x_ = add(x_, reduce_sum(mul(embedded, features), {1}, true));
  row(name, "Projection", classes * width);
  return *this;
}

Layers& Layers::dropout() {
  return dropout(net_.options().dropout);
}

Layers& Layers::dropout(double rate) {
  if (rate == 0) return *this;
  const std::string name = next_name("dropout");
  const PathScope scope(net_.graph(), name);
  if (pass_.training) x_ = forger::dropout(x_, pass_.seed, pass_.step, rate);
  row(name, "Dropout", 0);
  return *this;
}

Layers& Layers::reshape(Shape without_batch) {
  without_batch.insert(without_batch.begin(), x_.dim(0));
  x_ = forger::reshape(x_, without_batch);
  row(next_name("reshape"), "Reshape", 0);
  return *this;
}

Layers& Layers::flatten() {
  x_ = forger::reshape(x_, {x_.dim(0), x_.type().size() / x_.dim(0)});
  row(next_name("flatten"), "Flatten", 0);
  return *this;
}

}  // namespace forger
