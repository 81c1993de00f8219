#include <filesystem>
#include <fstream>

#include "cli/commands.h"
#include "cli/recipe_options.h"
#include "cli/version.h"
#include "datasets/image_dataset.h"
#include "engine/runtime/backend.h"
#include "kernels/common/errors.h"
#include "kernels/common/isa.h"
#include "kernels/onednn/version.h"
#include "kernels/threads/pool.h"
#ifdef FORGER_HAVE_VENDOR
#include "kernels/vendor/versions.h"
#endif

namespace forger {
namespace {

std::string cpu_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

std::string describe_data(const std::string& folder) {
  try {
    const auto set = load_mnist(find_data_folder(folder), Split::train);
    return fmt::format("{} ({} images of {}x{})", folder, set.count, set.height, set.width);
  } catch (const DataError& e) {
    return fmt::format("not usable: {}", e.what());
  }
}

double gib(size_t bytes) {
  return static_cast<double>(bytes) / (1 << 30);
}

int doctor() {
  const auto row = [](const char* name, const std::string& value) { fmt::print("{:<12} {}\n", name, value); };
  row("forger", version());
  row("cpu", fmt::format("{}, {} threads", cpu_name(), num_threads()));
  row("vectors", isa_name());
  row("oneDNN", onednn::version());
  row("CUDA", describe_cuda());
  const Provider& emulator = emulated::provider();
  row("emulator", emulator.kernels.empty() ? std::string(emulator.missing)
                                           : fmt::format("{} CUDA kernels run on the CPU, too", emulator.kernels.size()));
#ifdef FORGER_HAVE_VENDOR
  row("vendor", vendor::versions());
#else
  row("vendor", "no headers of cuDNN 9 and cuBLASLt were found at build time");
#endif
  std::string why_not;
  const auto gpus = list_gpus(why_not);
  if (gpus.empty()) row("GPU", "none: " + why_not);
  for (const GpuInfo& gpu : gpus) {
    row(fmt::format("cuda:{}", gpu.index).c_str(),
        fmt::format("{}, compute capability {}.{}, {} multiprocessors of {} KiB shared memory, {:.1f} GiB, L2 {:.0f} MiB",
                    gpu.name, gpu.major, gpu.minor, gpu.multiprocessors.count, gpu.multiprocessors.shared_bytes >> 10,
                    gib(gpu.total_bytes), static_cast<double>(gpu.l2_bytes) / (1 << 20)));
  }
  row("device auto", open_backend({}).description);
  row("MNIST", describe_data(make_config("dcgan", "", {}).text("data")));
  row("Fashion", describe_data("/usr/share/datasets/fashion-mnist"));
  std::error_code error;
  const auto space = std::filesystem::space(".", error);
  row("disk", error ? error.message() : fmt::format("{:.1f} GiB free here", gib(space.available)));
  return 0;
}

}  // namespace

void add_doctor(CommandLine& line) {
  Command command = line.add("doctor", "show what this machine has and what would be used");
  command.run(doctor);
}

}  // namespace forger
