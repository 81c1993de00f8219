// Where memory comes from. The host is one device; a GPU is another.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace forger {

class Device {
 public:
  virtual ~Device() = default;
  virtual std::string name() const = 0;
  /// At least `bytes` bytes, aligned to 64. Throws DeviceError when there is not enough memory.
  virtual void* allocate(size_t bytes) = 0;
  /// Bytes that are free to be taken now, about; the largest number where that cannot be told.
  virtual size_t available() const = 0;
  virtual void release(void* pointer) = 0;
  virtual void upload(void* device, const void* host, size_t bytes) = 0;
  virtual void download(void* host, const void* device, size_t bytes) = 0;
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
