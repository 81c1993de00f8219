#include "models/layers.h"

#include "engine/ops/ops.h"

namespace forger {

std::string Layers::next_name(const std::string& kind) {
  return kind + "_" + std::to_string(++counts_[kind]);
}

void Layers::row(const std::string& name, const std::string& type, int64_t parameters) {
  Shape shape = x_.shape();
  shape.erase(shape.begin());
  net_.add_row({name, type, shape, parameters});
}

Layers& Layers::dense(int64_t units, DenseInit init) {
  const std::string name = next_name("dense");
  const PathScope scope(net_.graph(), name);
  const int64_t fan_in = x_.dim(-1);
  const bool keras = init == DenseInit::keras;
  const Value w = net_.parameter(name + "/kernel", {fan_in, units},
                                 keras ? Initializer::glorot_uniform(fan_in, units) : Initializer::torch_linear(fan_in));
  const Value b = net_.parameter(name + "/bias", {units}, keras ? Initializer::zeros() : Initializer::torch_linear(fan_in));
  x_ = bias_add(matmul(x_, w), b);
  row(name, "Dense", fan_in * units + units);
  return *this;
}

Layers& Layers::conv2d(int64_t filters, int64_t kernel, int64_t stride) {
  const std::string name = next_name("conv2d");
  const PathScope scope(net_.graph(), name);
  const int64_t channels = x_.dim(3), taps = kernel * kernel;
  const Value w = net_.parameter(name + "/kernel", {filters, kernel, kernel, channels},
                                 Initializer::glorot_uniform(taps * channels, taps * filters));
  const Value b = net_.parameter(name + "/bias", {filters}, Initializer::zeros());
  x_ = bias_add(forger::conv2d(x_, w, stride, Padding::same), b);
  row(name, "Conv2D", taps * channels * filters + filters);
  return *this;
}

Layers& Layers::conv2d_transpose(int64_t filters, int64_t kernel, int64_t stride) {
  const std::string name = next_name("conv2d_transpose");
  const PathScope scope(net_.graph(), name);
  const int64_t channels = x_.dim(3), taps = kernel * kernel;
  // The filter is that of the convolution whose input gradient this is: K = channels in, C = channels out.
  const Value w = net_.parameter(name + "/kernel", {channels, kernel, kernel, filters},
                                 Initializer::glorot_uniform(taps * channels, taps * filters));
  const Value b = net_.parameter(name + "/bias", {filters}, Initializer::zeros());
  x_ = bias_add(forger::conv2d_transpose(x_, w, stride), b);
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

Layers& Layers::dropout(double rate) {
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
