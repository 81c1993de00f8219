// The rows of oneDNN in a build without it: Winograd takes the convolutions that it can compute but where oneDNN is faster.
// It lends its product to the dense layers; all other convolutions are left to the reference kernels.
#include "engine/providers/onednn_adapters.h"
#include "engine/providers/onednn_tables.h"
#include "kernels/winograd/conv2d.h"
#include "kernels/winograd/matmul.h"

namespace forger {

std::vector<Kernel> library_kernels() {
  constexpr auto computes = declines<winograd::computes>;
  return {
      {"conv2d", "conv2d_winograd_slow", computes, conv2d<winograd::Conv2d>, kWinograd},
      {"conv2d_filter_grad", "conv2d_filter_grad_winograd_slow", computes, filter_grad<winograd::Conv2dFilterGrad>, kWinograd},
      {"conv2d_input_grad", "conv2d_input_grad_winograd_slow", computes, convolution<winograd::Conv2dInputGrad>, kWinograd},
      {"matmul", "matmul_packed", needs_f32, matmul<winograd::MatMul>},
  };
}

}  // namespace forger
