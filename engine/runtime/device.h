// Where memory comes from. The host is one device; a GPU is another.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/cuda/stream.h"

namespace forger {

/// Work that a device has seen once and can do again at once: a CUDA graph.
class Recording {
 public:
  virtual ~Recording() = default;
  /// Queues all of it.
  virtual void replay() = 0;
};

/// One piece of work to be recorded: `queue` queues it; it begins when the pieces `after` (earlier ones, by index) have ended.
struct Work {
  std::function<void()> queue;
  std::vector<int> after;
};

/// Measures on the device itself where it has a clock of its own.
class Timer {
 public:
  virtual ~Timer() = default;
  virtual void start() = 0;
  /// Milliseconds since start(), when everything queued before has finished.
  virtual double stop() = 0;
};

/// Work is queued on stream() and runs in order; on the CPU it has run when the call returns.
class Device {
 public:
  virtual ~Device() = default;
  virtual std::string name() const = 0;
  /// At least `bytes` bytes, aligned to 64. Throws DeviceError when there is not enough memory.
  virtual void* allocate(size_t bytes) = 0;
  /// Bytes that are free to be taken now, about; the largest number where that cannot be told.
  virtual size_t available() const = 0;
  virtual void release(void* pointer) noexcept = 0;
  /// Both wait until the copy is done.
  virtual void upload(void* device, const void* host, size_t bytes) = 0;
  virtual void download(void* host, const void* device, size_t bytes) = 0;
  /// Within the device, queued.
  virtual void copy(void* to, const void* from, size_t bytes) = 0;

  virtual Stream stream() const { return nullptr; }
  /// Waits for everything queued. Throws DeviceError if some of it failed.
  virtual void synchronize() {}
  /// Queued work runs beside the host, so it pays to queue much before looking at results.
  virtual bool is_asynchronous() const { return false; }
  /// What the pieces queue, to be replayed in any order that keeps `after`; null where the device has no such thing.
  virtual std::unique_ptr<Recording> record(std::span<const Work> pieces);
  virtual std::unique_ptr<Timer> make_timer();
  /// Most bytes that were allocated at one time.
  size_t peak_bytes() const { return peak_bytes_; }

 protected:
  void count_allocation(size_t bytes) { peak_bytes_ = std::max(peak_bytes_, allocated_bytes_ += bytes); }
  void count_release(size_t bytes) { allocated_bytes_ -= bytes; }

 private:
  size_t allocated_bytes_ = 0, peak_bytes_ = 0;
};

/// The CPU.
Device& host_device();

/// A block of device memory that gives itself back.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Device& device, size_t bytes) : device_(&device), data_(device.allocate(bytes)), bytes_(bytes) {}
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() {
    if (data_) device_->release(data_);
  }

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device& device() const { return *device_; }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }
  Device* device_ = nullptr;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace forger
