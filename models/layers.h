// Layers: ops with variables. Names and defaults follow Keras.
#pragma once

#include "models/network.h"

namespace forger {

/// How a forward pass treats batch norm and dropout.
struct ForwardPass {
  bool training = true;          // batch statistics and dropout; otherwise running statistics and none
  bool track_statistics = true;  // training: keep the running statistics of this pass
  Value seed = {}, step = {};    // of the random numbers; needed for dropout in training
  Value labels = {};             // one-hot classes [N,K] of the samples, or none

  static ForwardPass inference(Value labels = {}) { return {.training = false, .track_statistics = false, .labels = labels}; }
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
  /// The same to a given size, of which the convolution would make the one at hand: 4 to 7 at stride 2.
  Layers& conv2d_transpose_to(int64_t height, int64_t width, int64_t filters, int64_t kernel, int64_t stride);
  Layers& batch_norm(double momentum, double epsilon = 1e-3);
  /// Over all axes but the batch, scale and shift per channel. Ba et al. 2016 (arXiv:1607.06450).
  Layers& layer_norm(double epsilon = 1e-5);
  /// What the network's options say: batch_norm, layer_norm or nothing.
  Layers& norm(double momentum);
  /// The greatest of `pieces` dense layers, [N,I] -> [N,units]. Goodfellow et al. 2013 (arXiv:1302.4389).
  Layers& maxout(int64_t units, int64_t pieces);
  /// With the option of that name: one more channel that holds the standard deviation over the batch, averaged over
  /// all features. Karras et al. 2018 (arXiv:1710.10196), section 3.
  Layers& minibatch_stddev();
  /// D's head: dense(1), with the option `projection` plus <embedding of the class, x>. Miyato and Koyama 2018
  /// (arXiv:1802.05637), equation 4.
  Layers& logits(DenseInit init = DenseInit::keras);  // [N,I] -> [N,1]
  Layers& relu();
  Layers& leaky_relu(double alpha);
  Layers& tanh();
  Layers& sigmoid();
  Layers& dropout();  // at the rate of the network's options; none at 0
  Layers& dropout(double rate);
  Layers& reshape(Shape without_batch);
  Layers& flatten();

  Value value() const { return x_; }

 private:
  std::string next_name(const std::string& kind);  // "conv2d_1", "conv2d_2", ...
  void row(const std::string& name, const std::string& type, int64_t parameters);
  /// A kernel, spectrally normalised if the network's options say so; `rows` of it as a matrix.
  Value kernel(const std::string& name, Shape shape, Initializer initializer, int64_t rows);
  Layers& activation(const std::string& kind, const std::string& type, ScalarOp op, double alpha = 0);

  Network& net_;
  Value x_;
  const ForwardPass& pass_;
  std::map<std::string, int> counts_;
};

}  // namespace forger
