#include "engine/runtime/emulated_device.h"

#include <cstring>
#include <map>

#include "kernels/emulation/grid.h"

namespace forger {
namespace {

using Work = std::vector<std::function<void()>>;

class RecordedWork : public Recording {
 public:
  explicit RecordedWork(Work work) : work_(std::move(work)) {}
  void replay() override {
    for (const auto& launch : work_) launch();
  }

 private:
  Work work_;
};

class EmulatedDevice : public Device {
 public:
  explicit EmulatedDevice(uint64_t shuffle) {
    options_.order = shuffle ? emulation::ThreadOrder::shuffled : emulation::ThreadOrder::forward;
    options_.seed = shuffle;
  }
  std::string name() const override { return "emulated"; }
  void* allocate(size_t bytes) override {
    void* pointer = host_device().allocate(bytes);
    std::memset(pointer, 0xFF, bytes);  // NaN: a GPU's memory is not zero either
    sizes_[pointer] = bytes;
    count_allocation(bytes);
    return pointer;
  }
  size_t available() const override { return host_device().available(); }
  void release(void* pointer) noexcept override {
    count_release(sizes_[pointer]);
    sizes_.erase(pointer);
    host_device().release(pointer);
  }
  void upload(void* device, const void* host, size_t bytes) override { std::memcpy(device, host, bytes); }
  void download(void* host, const void* device, size_t bytes) override { std::memcpy(host, device, bytes); }
  void copy(void* to, const void* from, size_t bytes) override {
    if (options_.recording) {
      options_.recording->push_back([=] { std::memcpy(to, from, bytes); });
    } else {
      std::memcpy(to, from, bytes);
    }
  }
  Stream stream() const override { return reinterpret_cast<Stream>(const_cast<emulation::Options*>(&options_)); }
  bool is_asynchronous() const override { return true; }
  std::unique_ptr<Recording> record(const std::function<void()>& work) override {
    Work list;
    options_.recording = &list;
    try {
      work();
    } catch (...) {
      options_.recording = nullptr;
      throw;
    }
    options_.recording = nullptr;
    return std::make_unique<RecordedWork>(std::move(list));
  }

 private:
  emulation::Options options_;
  std::map<void*, size_t> sizes_;
};

}  // namespace

std::shared_ptr<Device> open_emulated_device(uint64_t shuffle) {
  return std::make_shared<EmulatedDevice>(shuffle);
}

}  // namespace forger
