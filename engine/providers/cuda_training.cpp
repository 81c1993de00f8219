// Batch norm, losses, optimizers and random numbers of the CUDA provider.
#include "engine/providers/adapters.h"
#include "engine/providers/cuda_tables.h"
#include "kernels/cuda/increment.h"

namespace forger::FORGER_DEVICE {
namespace {

PreparedKernel prepare_increment(const NodeView&) {
  return {[](const KernelArgs& a) { increment(a.in<int64_t>(0), a.out<int64_t>(0), a.stream); }};
}

std::optional<std::string> always(const NodeView&) {
  return std::nullopt;
}

}  // namespace

std::vector<Kernel> training_kernels() {
  return {
      {"increment", "increment_cuda", always, prepare_increment},
  };
}

}  // namespace forger::FORGER_DEVICE
