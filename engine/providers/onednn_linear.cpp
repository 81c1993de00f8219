// Convolutions of the onednn provider that this project's own kernels compute.
#include "engine/providers/onednn_adapters.h"
#include "engine/providers/onednn_tables.h"
#include "kernels/direct/few_outputs.h"
#include "kernels/winograd/conv2d.h"

namespace forger {

std::vector<Kernel> linear_kernels() {
  return {
      {"conv2d", "conv2d_few_outputs", declines<direct::supports_forward>, conv2d<direct::Conv2d>},
      {"conv2d", "conv2d_winograd", declines<winograd::supports>, conv2d<winograd::Conv2d>, kWinograd},
      {"conv2d_filter_grad", "conv2d_filter_grad_few_outputs", declines<direct::supports_filter_grad>,
       filter_grad<direct::Conv2dFilterGrad>},
      {"conv2d_filter_grad", "conv2d_filter_grad_winograd", declines<winograd::supports>, filter_grad<winograd::Conv2dFilterGrad>,
       kWinograd},
      {"conv2d_input_grad", "conv2d_input_grad_winograd", declines<winograd::supports>, convolution<winograd::Conv2dInputGrad>,
       kWinograd},
  };
}

}  // namespace forger
