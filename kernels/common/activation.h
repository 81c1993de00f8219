// Activations that convolution and dense kernels can apply in their epilogue.
#pragma once

namespace forger {

enum class Activation { none, relu, leaky_relu, tanh, sigmoid };

}  // namespace forger
