// Where a run computes: a device, its providers in order, and what kernels are made ready for.
#pragma once

#include "engine/providers/provider.h"
#include "engine/runtime/cuda_device.h"

namespace forger {

struct Backend {
  std::shared_ptr<Device> device;  // null: only planned, nothing can run
  Provider::Place place = Provider::Place::cpu;
  std::vector<const Provider*> providers;
  Target target;
  std::string description;  // "cuda:0, NVIDIA H200, tf32, providers cuda"
};

/// What the options --device, --providers and --precision ask for.
struct BackendOptions {
  std::string device = "auto";     // auto | cpu | cuda | cuda:N | emulated; auto: a GPU if there is one
  std::string providers = "auto";  // names in order; auto: onednn,reference or cuda or emulated
  std::string precision = "auto";  // fp32 | tf32 | bf16; auto: fp32 on the CPU, tf32 on a GPU
  // unfused: every operation by itself, to compare with. Of a GPU's launches, apart: none has blocks that wait for each other;
  // joined: a convolution goes on with the batch norm behind it where that pays; overlapped: and a launch begins while the
  // ones before it end, which does not change a bit.
  std::string launches = "joined";
};

/// "cpu", "emulated" or "cuda".
const char* device_kind(const Backend& backend);

/// Throws ConfigError for what does not fit together, DeviceError for a device that is not there.
Backend open_backend(const BackendOptions& options);

/// The same without opening a device, for `explain`: a GPU that is not there is taken for an H200.
Backend plan_backend(const BackendOptions& options);

}  // namespace forger
