#include "kernels/cuda/check.h"

#include <cstring>

#include "kernels/common/errors.h"

namespace forger::cuda {
namespace {

const char* remedy(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation:
      return "; try a smaller --batch, or free the GPU's memory (nvidia-smi shows who holds it)";
    case cudaErrorInsufficientDriver:
      return "; the NVIDIA driver is missing or older than the CUDA toolkit that Forger was built with: update the driver";
    case cudaErrorNoDevice:
      return "; no NVIDIA GPU is visible (see nvidia-smi and CUDA_VISIBLE_DEVICES)";
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
      return "; this binary has no code for this GPU: build with -DCMAKE_CUDA_ARCHITECTURES=native, compute capability 8.0 or "
             "newer";
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorMisalignedAddress:
    case cudaErrorIllegalInstruction:
      return "; a kernel failed: CUDA_LAUNCH_BLOCKING=1 names the launch, compute-sanitizer the line; please report it";
    default:
      return "";
  }
}

}  // namespace

void fail_cuda(cudaError_t error, const char* expression, const char* file, int line) {
  cudaGetLastError();  // a launch's error stays until it is read
  const char* name = std::strrchr(file, '/');
  fail<DeviceError>("CUDA: {} ({}) from {} at {}:{}{}", cudaGetErrorString(error), cudaGetErrorName(error), expression,
                    name ? name + 1 : file, line, remedy(error));
}

}  // namespace forger::cuda
