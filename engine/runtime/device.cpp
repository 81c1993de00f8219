#include "engine/runtime/device.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>

#include "kernels/common/errors.h"

namespace forger {
namespace {

constexpr size_t kUnknown = std::numeric_limits<size_t>::max();

/// The number after "name:" in /proc/meminfo, in bytes.
size_t memory_info(const std::string& name) {
  std::ifstream in("/proc/meminfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name + ":")) return std::strtoull(line.c_str() + name.size() + 1, nullptr, 10) * 1024;
  }
  return kUnknown;
}

/// The limit of a container. What it uses is not taken off: that counts cached files, which the system gives back.
size_t group_limit(const std::string& path) {
  std::ifstream in(path);
  size_t number = 0;
  return in >> number ? number : kUnknown;  // "max"
}

class HostDevice : public Device {
 public:
  std::string name() const override { return "cpu"; }
  void* allocate(size_t bytes) override {
    constexpr size_t kAlignment = 64;  // a cache line, and the widest vector
    void* pointer = std::aligned_alloc(kAlignment, (bytes + kAlignment) / kAlignment * kAlignment);
    if (!pointer)
      fail<DeviceError>("cannot allocate {:.1f} MiB of host memory; try a smaller --batch",
                        static_cast<double>(bytes) / (1 << 20));
    return pointer;
  }
  size_t available() const override {
    return std::min({memory_info("MemAvailable"), group_limit("/sys/fs/cgroup/memory.max"),
                     group_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes")});
  }
  void release(void* pointer) noexcept override { std::free(pointer); }
  void upload(void* device, const void* host, size_t bytes) override { std::memcpy(device, host, bytes); }
  void download(void* host, const void* device, size_t bytes) override { std::memcpy(host, device, bytes); }
  void copy(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }
};

class HostTimer : public Timer {
 public:
  void start() override { start_ = Clock::now(); }
  double stop() override { return std::chrono::duration<double, std::milli>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_{};
};

}  // namespace

std::unique_ptr<Recording> Device::record(std::span<const Work>) {
  return nullptr;
}

std::unique_ptr<Timer> Device::make_timer() {
  return std::make_unique<HostTimer>();
}

Device& host_device() {
  static HostDevice device;
  return device;
}

}  // namespace forger
