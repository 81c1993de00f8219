// Prints how the emulated cases launch every CUDA kernel: address in this file, threads of a block, bytes of dynamic shared
// memory. bench/kernel_resources.py joins that with what ptxas says about registers.
#include <dlfcn.h>

#include <set>
#include <tuple>

#include "engine/ops/op_spec.h"
#include "kernels/emulation/grid.h"
#include "tests/cases/case.h"

int main() {
  using namespace forger;
  std::set<std::tuple<size_t, unsigned, size_t>> launches;
  emulation::Options options;
  options.observer = [&](const void* kernel, unsigned threads, size_t shared_bytes) {
    Dl_info here{};
    dladdr(kernel, &here);
    launches.emplace(static_cast<const char*>(kernel) - static_cast<const char*>(here.dli_fbase), threads, shared_bytes);
  };
  for (const int multiprocessors : {1, 132}) {  // small problems get large tiles where there is little to fill
    const Place place{.stream = reinterpret_cast<Stream>(&options), .target = {.multiprocessors = {multiprocessors}}};
    for (const Case& c : all_cases()) check_case(c, emulated::provider(), Fill::reals, place);
  }
  for (const auto& [address, threads, shared_bytes] : launches) fmt::print("{:x} {} {}\n", address, threads, shared_bytes);
}
