// What cuda_device.h is in a build without the CUDA toolkit.
#include "engine/runtime/cuda_device.h"
#include "kernels/common/errors.h"

namespace forger {

std::vector<GpuInfo> list_gpus(std::string& why_not) {
  why_not = "this forger was built without CUDA; install the CUDA toolkit 12.4 or newer and build again";
  return {};
}

std::string describe_cuda() {
  return "no toolkit was found at build time";
}

std::shared_ptr<Device> open_gpu(int, bool) {
  std::string why_not;
  list_gpus(why_not);
  fail<DeviceError>("--device cuda: {}; or use --device cpu", why_not);
}

}  // namespace forger
