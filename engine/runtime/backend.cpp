#include "engine/runtime/backend.h"

#include <algorithm>
#include <charconv>

#include "engine/runtime/emulated_device.h"

namespace forger {
namespace {

using Place = Provider::Place;

/// On a GPU. With it the DCGAN step's longest chain is 45 of 63 launches, and its arena three times as large as with a
/// plan that is as tight as a CPU's (`forger explain dcgan --device cuda`, `--device cpu`).
constexpr int kMemorySlack = 32;

struct DeviceChoice {
  Place place = Place::cpu;
  int index = 0;  // of the GPU
};

DeviceChoice parse_device(const std::string& name, bool planning) {
  if (name == "cpu") return {};
  if (name == "emulated") return {Place::emulator};
  if (name == "cuda") return {Place::gpu};
  if (name == "auto") {
    std::string why_not;
    return {planning || list_gpus(why_not).empty() ? Place::cpu : Place::gpu};
  }
  int index = 0;
  const std::string_view number = std::string_view(name).substr(std::min<size_t>(name.size(), 5));
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), index);
  if (!name.starts_with("cuda:") || error != std::errc() || end != number.data() + number.size() || index < 0) {
    fail<ConfigError>("--device: '{}' is not one of auto, cpu, cuda, cuda:N, emulated", name);
  }
  return {Place::gpu, index};
}

std::vector<const Provider*> choose_providers(const std::string& names, const std::string& device, Place place) {
  if (names == "auto") {
    constexpr const char* kDefaults[] = {"onednn,reference", "emulated", "cuda"};
    return parse_providers(kDefaults[static_cast<int>(place)]);
  }
  auto providers = parse_providers(names);
  for (const Provider* p : providers) {
    if (p->place == place) continue;
    fail<ConfigError>("--providers: '{}' runs on {}, --device is {}; choose among {}", p->name, name_of(p->place), device,
                      provider_names(place));
  }
  return providers;
}

/// Opens the device, or (planning) only says what it would be.
std::string describe_device(const DeviceChoice& choice, bool overlap, bool planning, Backend& backend) {
  switch (choice.place) {
    case Place::cpu:
      backend.device = std::shared_ptr<Device>(&host_device(), [](Device*) {});
      return "cpu";
    case Place::emulator:
      backend.device = open_emulated_device();
      return "emulated GPU";
    case Place::gpu:
      break;
  }
  std::string why_not;
  const auto gpus = list_gpus(why_not);
  const bool present = static_cast<size_t>(choice.index) < gpus.size();
  if (!planning) backend.device = open_gpu(choice.index, overlap);
  if (!present) return fmt::format("cuda:{}, not present ({}), planned for an H200", choice.index, why_not);
  const GpuInfo& gpu = gpus[static_cast<size_t>(choice.index)];
  backend.target.multiprocessors = gpu.multiprocessors;
  backend.target.together = gpu.together ? gpu.multiprocessors.count : 0;
  return fmt::format("cuda:{}, {}", choice.index, gpu.name);
}

/// Checks --launches.
bool wants_overlap(const BackendOptions& options, bool host, bool vendor) {
  const std::string& launches = options.launches;
  if (launches != "unfused" && launches != "apart" && launches != "joined" && launches != "overlapped") {
    fail<ConfigError>("--launches: '{}' is not one of unfused, apart, joined, overlapped", launches);
  }
  if (launches != "overlapped") return false;
  if (host) fail<ConfigError>("--launches: a CPU runs one launch after another; leave it out or use --device cuda");
  if (vendor) {
    fail<ConfigError>(
        "--launches: cuDNN's kernels do not wait for what they overlap; use joined, or leave vendor out of --providers");
  }
  return true;
}

Backend make_backend(const BackendOptions& options, bool planning) {
  const DeviceChoice choice = parse_device(options.device, planning);
  Backend backend;
  backend.place = choice.place;
  backend.providers = choose_providers(options.providers, options.device, choice.place);
  const bool host = choice.place == Place::cpu;
  if (!host) backend.target.memory_slack = kMemorySlack;
  backend.target.fuse_statistics = !host;
  const auto runs_programs = [](const Kernel& kernel) { return kernel.op == "block_program"; };
  const auto& first = backend.providers.front()->kernels;  // a library in front keeps its products
  backend.target.fuse_layer_grads = !host && std::any_of(first.begin(), first.end(), runs_programs);
  if (options.precision == "auto") {
    backend.target.precision = host ? Precision::fp32 : Precision::tf32;
  } else {
    backend.target.precision = parse_precision(options.precision);
  }
  if (host && backend.target.precision != Precision::fp32) {
    fail<ConfigError>("--precision: {} is for a GPU, the CPU computes in fp32; leave it out or use --device cuda",
                      name_of(backend.target.precision));
  }
  if (choice.place != Place::emulator) backend.target.together = host ? 0 : backend.target.multiprocessors.count;
  const bool vendor =
      std::any_of(backend.providers.begin(), backend.providers.end(), [](auto* p) { return p->name == "vendor"; });
  const bool overlap = wants_overlap(options, host, vendor);
  const std::string device = describe_device(choice, overlap, planning, backend);
  for (const Provider* p : backend.providers) {
    if (p->kernels.empty()) fail<DeviceError>("--device {}: {}", options.device, p->missing);
  }
  // cuDNN's convolutions end where they end.
  if (vendor || options.launches == "apart") backend.target.together = 0;
  backend.target.fuse = options.launches != "unfused";
  std::string names;
  for (const Provider* p : backend.providers) names += (names.empty() ? "" : ",") + std::string(p->name);
  backend.description = fmt::format("{}, {}, providers {}", device, name_of(backend.target.precision), names);
  return backend;
}

}  // namespace

const char* device_kind(const Backend& backend) {
  constexpr const char* kKinds[] = {"cpu", "emulated", "cuda"};
  return kKinds[static_cast<int>(backend.place)];
}

Backend open_backend(const BackendOptions& options) {
  return make_backend(options, false);
}

Backend plan_backend(const BackendOptions& options) {
  return make_backend(options, true);
}

}  // namespace forger
