// What emulated_device.h is in a build without the emulator.
#include "engine/providers/provider.h"
#include "engine/runtime/emulated_device.h"
#include "kernels/common/errors.h"

namespace forger {

std::shared_ptr<Device> open_emulated_device(uint64_t) {
  fail<DeviceError>("--device emulated: {}", emulated::provider().missing);
}

std::vector<size_t> count_kernels(const Program&) {
  fail<DeviceError>("the CUDA kernels of a program cannot be counted: {}", emulated::provider().missing);
}

}  // namespace forger
