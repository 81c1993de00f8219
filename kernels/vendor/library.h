// cuDNN 9 and cuBLASLt, loaded on first use.
//
// Nothing is linked: the functions that Forger calls are looked up in libcudnn.so.9 and libcublasLt, so the same binary
// runs where they are not installed. A missing library is not an error until one of its kernels is asked for: `missing`
// says why, and the provider declines with it.
//
// What lives as long as the process, and is made on first use: the two tables below and one handle for each library, on
// the GPU that is current at that moment. Handles are never destroyed: the CUDA runtime may be gone before them.
#pragma once

#include <cublasLt.h>
#include <cudnn_backend.h>

#include <mutex>
#include <optional>
#include <span>
#include <string>

namespace forger::vendor {

/// Functions of cuDNN, by their names without "cudnn". All null if `missing` is not empty.
struct Cudnn {
  decltype(&cudnnGetVersion) GetVersion;
  decltype(&cudnnGetErrorString) GetErrorString;
  decltype(&cudnnGetLastErrorString) GetLastErrorString;
  decltype(&cudnnCreate) Create;
  decltype(&cudnnSetStream) SetStream;
  decltype(&cudnnBackendCreateDescriptor) BackendCreateDescriptor;
  decltype(&cudnnBackendDestroyDescriptor) BackendDestroyDescriptor;
  decltype(&cudnnBackendSetAttribute) BackendSetAttribute;
  decltype(&cudnnBackendGetAttribute) BackendGetAttribute;
  decltype(&cudnnBackendFinalize) BackendFinalize;
  decltype(&cudnnBackendExecute) BackendExecute;
  std::string missing;  // why cuDNN cannot be used; empty if it can
};

/// Functions of cuBLASLt, by their names without "cublasLt".
struct CublasLt {
  decltype(&cublasLtGetVersion) GetVersion;
  decltype(&cublasLtGetStatusString) GetStatusString;
  decltype(&cublasLtCreate) Create;
  decltype(&cublasLtMatmul) Matmul;
  decltype(&cublasLtMatmulAlgoGetHeuristic) MatmulAlgoGetHeuristic;
  decltype(&cublasLtMatmulDescCreate) MatmulDescCreate;
  decltype(&cublasLtMatmulDescDestroy) MatmulDescDestroy;
  decltype(&cublasLtMatmulDescSetAttribute) MatmulDescSetAttribute;
  decltype(&cublasLtMatrixLayoutCreate) MatrixLayoutCreate;
  decltype(&cublasLtMatrixLayoutDestroy) MatrixLayoutDestroy;
  decltype(&cublasLtMatmulPreferenceCreate) MatmulPreferenceCreate;
  decltype(&cublasLtMatmulPreferenceDestroy) MatmulPreferenceDestroy;
  decltype(&cublasLtMatmulPreferenceSetAttribute) MatmulPreferenceSetAttribute;
  std::string missing;
};

/// The tables that the process uses.
const Cudnn& cudnn();
const CublasLt& cublas_lt();

/// What they are made by; the first file that opens counts. Never throw.
Cudnn load_cudnn(std::span<const char* const> files);
CublasLt load_cublas_lt(std::span<const char* const> files);

/// Why the CUDA runtime sees no GPU, or nothing. Never throws.
std::optional<std::string> missing_gpu();

/// cuDNN's handle. It may serve one thread at a time: hold `busy` while using it.
struct CudnnHandle {
  cudnnHandle_t handle;
  int device;
  std::mutex busy;
};
/// Throw DeviceError if the library or a GPU is missing, or if the handle is for another GPU than the current one.
CudnnHandle& cudnn_handle();
cublasLtHandle_t cublas_lt_handle();

/// Throw DeviceError: what failed, the library's words for it, where.
[[noreturn]] void fail_cudnn(cudnnStatus_t status, const char* expression, const char* file, int line);
[[noreturn]] void fail_cublas_lt(cublasStatus_t status, const char* expression, const char* file, int line);

}  // namespace forger::vendor

#define FORGER_CUDNN_CHECK(expression)                                                                                     \
  do {                                                                                                                     \
    if (const cudnnStatus_t forger_status = ::forger::vendor::cudnn().expression; forger_status != CUDNN_STATUS_SUCCESS) { \
      ::forger::vendor::fail_cudnn(forger_status, "cudnn" #expression, __FILE__, __LINE__);                                \
    }                                                                                                                      \
  } while (false)

#define FORGER_CUBLAS_LT_CHECK(expression)                                                                                       \
  do {                                                                                                                           \
    if (const cublasStatus_t forger_status = ::forger::vendor::cublas_lt().expression; forger_status != CUBLAS_STATUS_SUCCESS) { \
      ::forger::vendor::fail_cublas_lt(forger_status, "cublasLt" #expression, __FILE__, __LINE__);                               \
    }                                                                                                                            \
  } while (false)
