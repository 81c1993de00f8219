// Layers: ops with variables. Names and defaults follow Keras.
#pragma once

#include "models/network.h"

namespace forger {

/// How a forward pass treats batch norm and dropout.
struct ForwardPass {
  bool training = true;          // batch statistics and dropout; otherwise running statistics and none
  bool track_statistics = true;  // training: keep the running statistics of this pass
  Value seed, step;              // of the random numbers; needed for dropout in training

  static ForwardPass inference() { return {.training = false, .track_statistics = false, .seed = {}, .step = {}}; }
};

/// A chain of layers through one network: each call takes the value and replaces it.
class Layers {
 public:
  enum class DenseInit { keras, torch };  // Glorot uniform and zero bias; U(-1/sqrt(fan_in), ..) for both

  Layers(Network& network, Value x, const ForwardPass& pass) : net_(network), x_(x), pass_(pass) {}

  Layers& dense(int64_t units, DenseInit init = DenseInit::keras);            // [N,I] -> [N,units]
  Layers& conv2d(int64_t filters, int64_t kernel, int64_t stride = 1);        // 'same'
  Layers& conv2d_transpose(int64_t filters, int64_t kernel, int64_t stride);  // 'same'
  Layers& max_pool(int64_t window);                                           // [N,H,W,C] -> [N,H/window,W/window,C]
  Layers& batch_norm(double momentum, double epsilon = 1e-3);
  Layers& relu();
  Layers& leaky_relu(double alpha);
  Layers& tanh();
  Layers& sigmoid();
  Layers& dropout(double rate);
  Layers& reshape(Shape without_batch);
  Layers& flatten();

  Value value() const { return x_; }

 private:
  std::string next_name(const std::string& kind);  // "conv2d_1", "conv2d_2", ...
  void row(const std::string& name, const std::string& type, int64_t parameters);
  Layers& activation(const std::string& kind, const std::string& type, ScalarOp op, double alpha = 0);

  Network& net_;
  Value x_;
  const ForwardPass& pass_;
  std::map<std::string, int> counts_;
};

}  // namespace forger
