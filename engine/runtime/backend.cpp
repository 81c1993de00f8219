#include "engine/runtime/backend.h"

#include <charconv>

namespace forger {
namespace {

constexpr int kCpu = -1;

/// The number of the GPU, or kCpu.
int parse_device(const std::string& name, bool planning) {
  if (name == "cpu") return kCpu;
  if (name == "cuda") return 0;
  if (name == "auto") {
    std::string why_not;
    return planning || list_gpus(why_not).empty() ? kCpu : 0;
  }
  int index = 0;
  const std::string_view number = std::string_view(name).substr(std::min<size_t>(name.size(), 5));
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), index);
  if (!name.starts_with("cuda:") || error != std::errc() || end != number.data() + number.size() || index < 0) {
    fail<ConfigError>("--device: '{}' is not one of auto, cpu, cuda, cuda:N", name);
  }
  return index;
}

std::vector<const Provider*> choose_providers(const std::string& names, bool gpu) {
  if (names == "auto") return parse_providers(gpu ? "cuda" : "onednn,reference");
  auto providers = parse_providers(names);
  for (const Provider* p : providers) {
    if (p->on_gpu == gpu) continue;
    fail<ConfigError>("--providers: '{}' runs on {}, --device is {}; choose among {}", p->name, p->on_gpu ? "a GPU" : "the CPU",
                      gpu ? "cuda" : "cpu", provider_names(gpu));
  }
  return providers;
}

Backend make_backend(const BackendOptions& options, bool planning) {
  const int index = parse_device(options.device, planning);
  const bool gpu = index != kCpu;
  Backend backend;
  std::string device = "cpu";
  if (gpu) {
    std::string why_not;
    const auto gpus = list_gpus(why_not);
    const bool present = static_cast<size_t>(index) < gpus.size();
    if (!planning) backend.device = open_gpu(index);
    if (present) backend.target.multiprocessors = gpus[static_cast<size_t>(index)].multiprocessors;
    device = fmt::format("cuda:{}, {}", index,
                         present ? gpus[static_cast<size_t>(index)].name : "not present (" + why_not + "), planned for an H200");
  } else {
    backend.device = std::shared_ptr<Device>(&host_device(), [](Device*) {});
  }
  backend.providers = choose_providers(options.providers, gpu);
  if (options.precision == "auto") {
    backend.target.precision = gpu ? Precision::tf32 : Precision::fp32;
  } else {
    backend.target.precision = parse_precision(options.precision);
  }
  bool emulated = false;
  std::string names;
  for (const Provider* p : backend.providers) {
    names += (names.empty() ? "" : ",") + std::string(p->name);
    emulated = emulated || p->name == "emulated";
  }
  if (!gpu && !emulated && backend.target.precision != Precision::fp32) {
    fail<ConfigError>("--precision: {} is for a GPU, the CPU computes in fp32; leave it out or use --device cuda",
                      name_of(backend.target.precision));
  }
  backend.description = fmt::format("{}, {}, providers {}", device, name_of(backend.target.precision), names);
  return backend;
}

}  // namespace

Backend open_backend(const BackendOptions& options) {
  return make_backend(options, false);
}

Backend plan_backend(const BackendOptions& options) {
  return make_backend(options, true);
}

}  // namespace forger
