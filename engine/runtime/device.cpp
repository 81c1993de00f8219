#include "engine/runtime/device.h"

#include <cstdlib>
#include <cstring>

#include "kernels/common/errors.h"

namespace forger {
namespace {

class HostDevice : public Device {
 public:
  std::string name() const override { return "cpu"; }
  void* allocate(size_t bytes) override {
    constexpr size_t kAlignment = 64;  // a cache line, and the widest vector
    void* pointer = std::aligned_alloc(kAlignment, (bytes + kAlignment) / kAlignment * kAlignment);
    if (!pointer) fail<DeviceError>("cannot allocate {:.1f} MiB of host memory; try a smaller --batch", static_cast<double>(bytes) / (1 << 20));
    return pointer;
  }
  void release(void* pointer) override { std::free(pointer); }
  void upload(void* device, const void* host, size_t bytes) override { std::memcpy(device, host, bytes); }
  void download(void* host, const void* device, size_t bytes) override { std::memcpy(host, device, bytes); }
};

}  // namespace

Device& host_device() {
  static HostDevice device;
  return device;
}

}  // namespace forger
