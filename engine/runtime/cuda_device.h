// An NVIDIA GPU as a Device. In builds without the CUDA toolkit every function here says so.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/runtime/device.h"
#include "kernels/cuda/multiprocessors.h"

namespace forger {

/// What `forger doctor` prints and kernels are chosen for.
struct GpuInfo {
  int index = 0;
  std::string name;
  int major = 0, minor = 0;  // compute capability
  Multiprocessors multiprocessors = {};
  size_t total_bytes = 0;
  size_t l2_bytes = 0;
  bool together = false;  // may the blocks of a launch that fills it wait for each other?
};

/// The visible GPUs; none with the reason in `why_not` (no driver, driver too old, no device, a build without CUDA).
std::vector<GpuInfo> list_gpus(std::string& why_not);

/// "CUDA toolkit 13.0, driver for 13.0"; what is missing is named.
std::string describe_cuda();

/// `overlap`: recorded launches begin while those that they wait for end (overlap.h); their kernels must be Forger's own.
/// Throws DeviceError when the GPU is not there or older than compute capability 8.0, to overlap 9.0.
std::shared_ptr<Device> open_gpu(int index, bool overlap = false);

}  // namespace forger
