// Convolutions and matrix products of the onednn provider that oneDNN computes.
#include "engine/providers/onednn_adapters.h"
#include "engine/providers/onednn_tables.h"
#include "kernels/onednn/conv2d.h"
#include "kernels/onednn/matmul.h"

namespace forger {

std::vector<Kernel> library_kernels() {
  return {
      {"conv2d", "conv2d_onednn", declines<onednn::supports>, conv2d<onednn::Conv2d>},
      {"conv2d_filter_grad", "conv2d_filter_grad_onednn", declines<onednn::supports>, filter_grad<onednn::Conv2dFilterGrad>},
      {"conv2d_input_grad", "conv2d_input_grad_onednn", declines<onednn::supports>, convolution<onednn::Conv2dInputGrad>},
      {"matmul", "matmul_onednn", needs_f32, matmul<onednn::MatMul>},
  };
}

}  // namespace forger
