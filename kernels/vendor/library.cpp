#include "kernels/vendor/library.h"

#include <dlfcn.h>

#include <cstring>

#include "kernels/common/errors.h"
#include "kernels/cuda/check.h"
#include "kernels/vendor/versions.h"

namespace forger::vendor {
namespace {

/// A shared library that stays open until the process ends.
class Loader {
 public:
  explicit Loader(std::span<const char* const> files) {
    for (const char* file : files) {
      library_ = dlopen(file, RTLD_NOW | RTLD_LOCAL);
      if (library_) {
        file_ = file;
        error_.clear();
        return;
      }
      const char* why = dlerror();  // "libcudnn.so.9: cannot open shared object file: No such file or directory"
      if (error_.empty()) error_ = why ? why : std::string(file) + ": cannot be opened";
    }
  }

  template <class Function>
  void find(Function& function, const char* name) {
    function = library_ ? reinterpret_cast<Function>(dlsym(library_, name)) : nullptr;
    if (library_ && !function && error_.empty()) error_ = fmt::format("{} has no {}: too old?", file_, name);
  }
  /// Why the library cannot be used; empty if it can.
  const std::string& error() const { return error_; }

 private:
  void* library_ = nullptr;
  std::string file_, error_;
};

const char* base_name(const char* file) {
  const char* slash = std::strrchr(file, '/');
  return slash ? slash + 1 : file;
}

int current_device() {
  int device = 0;
  FORGER_CUDA_CHECK(cudaGetDevice(&device));
  return device;
}

void check_device(const char* library, int device) {
  if (const int now = current_device(); now != device) {
    fail<DeviceError>("{}: its handle is for GPU {}, but GPU {} is current; use one GPU per process", library, device, now);
  }
}

}  // namespace

Cudnn load_cudnn(std::span<const char* const> files) {
  Cudnn table{};
  Loader loader(files);
#define FORGER_FIND(name) loader.find(table.name, "cudnn" #name)
  FORGER_FIND(GetVersion);
  FORGER_FIND(GetErrorString);
  FORGER_FIND(GetLastErrorString);
  FORGER_FIND(Create);
  FORGER_FIND(SetStream);
  FORGER_FIND(BackendCreateDescriptor);
  FORGER_FIND(BackendDestroyDescriptor);
  FORGER_FIND(BackendSetAttribute);
  FORGER_FIND(BackendGetAttribute);
  FORGER_FIND(BackendFinalize);
  FORGER_FIND(BackendExecute);
#undef FORGER_FIND
  if (!loader.error().empty()) {
    table = {};
    table.missing = loader.error();
  }
  return table;
}

CublasLt load_cublas_lt(std::span<const char* const> files) {
  CublasLt table{};
  Loader loader(files);
#define FORGER_FIND(name) loader.find(table.name, "cublasLt" #name)
  FORGER_FIND(GetVersion);
  FORGER_FIND(GetStatusString);
  FORGER_FIND(Create);
  FORGER_FIND(Matmul);
  FORGER_FIND(MatmulAlgoGetHeuristic);
  FORGER_FIND(MatmulDescCreate);
  FORGER_FIND(MatmulDescDestroy);
  FORGER_FIND(MatmulDescSetAttribute);
  FORGER_FIND(MatrixLayoutCreate);
  FORGER_FIND(MatrixLayoutDestroy);
  FORGER_FIND(MatmulPreferenceCreate);
  FORGER_FIND(MatmulPreferenceDestroy);
  FORGER_FIND(MatmulPreferenceSetAttribute);
#undef FORGER_FIND
  if (!loader.error().empty()) {
    table = {};
    table.missing = loader.error();
  }
  return table;
}

const Cudnn& cudnn() {
  static const char* const files[] = {"libcudnn.so.9"};
  static const Cudnn table = load_cudnn(files);
  return table;
}

const CublasLt& cublas_lt() {
  // The interface that Forger uses did not change from 12 to 13: the toolkit's own first, then the other.
#if CUDART_VERSION >= 13000
  static const char* const files[] = {"libcublasLt.so.13", "libcublasLt.so.12"};
#else
  static const char* const files[] = {"libcublasLt.so.12", "libcublasLt.so.13"};
#endif
  static const CublasLt table = load_cublas_lt(files);
  return table;
}

std::optional<std::string> missing_gpu() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    cudaGetLastError();
    return fmt::format("no NVIDIA GPU ({})", cudaGetErrorString(error));
  }
  if (count == 0) return "no NVIDIA GPU";
  return std::nullopt;
}

CudnnHandle& cudnn_handle() {
  static CudnnHandle* const made = [] {
    if (!cudnn().missing.empty()) fail<DeviceError>("{}; install cuDNN 9 or leave out the provider vendor", cudnn().missing);
    auto* const result = new CudnnHandle{nullptr, current_device(), {}};  // never destroyed: see the header
    FORGER_CUDNN_CHECK(Create(&result->handle));
    return result;
  }();
  check_device("cuDNN", made->device);
  return *made;
}

cublasLtHandle_t cublas_lt_handle() {
  struct Made {
    cublasLtHandle_t handle = nullptr;
    int device = 0;
  };
  static const Made made = [] {
    if (!cublas_lt().missing.empty()) {
      fail<DeviceError>("{}; install cuBLAS or leave out the provider vendor", cublas_lt().missing);
    }
    Made result;
    result.device = current_device();
    FORGER_CUBLAS_LT_CHECK(Create(&result.handle));
    return result;
  }();
  check_device("cuBLASLt", made.device);
  return made.handle;
}

void fail_cudnn(cudnnStatus_t status, const char* expression, const char* file, int line) {
  char details[1024] = "";
  cudnn().GetLastErrorString(details, sizeof details);
  const char* remedy = "";
  if (status == CUDNN_STATUS_NOT_INITIALIZED || status == CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED ||
      status == CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH) {
    remedy = "; are all of cuDNN's libraries (libcudnn_*.so.9) of one version and on the library path?";
  } else if (status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED) {
    remedy = "; try a smaller --batch, or free the GPU's memory";
  }
  fail<DeviceError>("cuDNN: {}{}{} from {} at {}:{}{}", cudnn().GetErrorString(status), details[0] ? ": " : "", details,
                    expression, base_name(file), line, remedy);
}

void fail_cublas_lt(cublasStatus_t status, const char* expression, const char* file, int line) {
  fail<DeviceError>("cuBLASLt: {} from {} at {}:{}", cublas_lt().GetStatusString(status), expression, base_name(file), line);
}

std::string versions() {
  const auto dotted = [](size_t major, size_t minor, size_t patch) { return fmt::format("{}.{}.{}", major, minor, patch); };
  const Cudnn& dnn = cudnn();
  const CublasLt& lt = cublas_lt();
  const size_t d = dnn.GetVersion ? dnn.GetVersion() : 0, b = lt.GetVersion ? lt.GetVersion() : 0;
  return fmt::format("cuDNN {}, cuBLASLt {}", d ? dotted(d / 10000, d / 100 % 100, d % 100) : "missing (" + dnn.missing + ")",
                     b ? dotted(b / 10000, b / 100 % 100, b % 100) : "missing (" + lt.missing + ")");
}

}  // namespace forger::vendor
