// Errors of the CUDA runtime as exceptions. Keeps fmt out of the files that nvcc compiles.
#pragma once

#include <cuda_runtime_api.h>

namespace forger::cuda {

/// Throws DeviceError: what failed, CUDA's words for it, where, and what to do about the usual causes.
[[noreturn]] void fail_cuda(cudaError_t error, const char* expression, const char* file, int line);

}  // namespace forger::cuda

#define FORGER_CUDA_CHECK(expression)                                                 \
  do {                                                                                \
    if (const cudaError_t forger_error = (expression); forger_error != cudaSuccess) { \
      ::forger::cuda::fail_cuda(forger_error, #expression, __FILE__, __LINE__);       \
    }                                                                                 \
  } while (false)
