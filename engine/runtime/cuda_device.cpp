#include "engine/runtime/cuda_device.h"

#include <cuda_runtime_api.h>

#include <unordered_map>

#include "engine/runtime/overlap.h"
#include "kernels/common/errors.h"
#include "kernels/cuda/check.h"

namespace forger {
namespace {

constexpr int kOldestMajor = 8;      // cp.async and mma.sync on TF32 and BF16
constexpr int kOldestToOverlap = 9;  // programmatic dependent launch

std::string version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

/// A whole program, or several steps of it, as one launch.
class CudaGraph : public Recording {
 public:
  CudaGraph(cudaGraph_t graph, cudaStream_t stream) : stream_(stream) {
    const cudaError_t error = cudaGraphInstantiate(&graph_, graph, 0);
    cudaGraphDestroy(graph);
    FORGER_CUDA_CHECK(error);
    FORGER_CUDA_CHECK(cudaGraphUpload(graph_, stream_));
  }
  ~CudaGraph() override { cudaGraphExecDestroy(graph_); }
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;
  void replay() override { FORGER_CUDA_CHECK(cudaGraphLaunch(graph_, stream_)); }

 private:
  cudaStream_t stream_;
  cudaGraphExec_t graph_ = nullptr;
};

class CudaTimer : public Timer {
 public:
  explicit CudaTimer(cudaStream_t stream) : stream_(stream) {
    FORGER_CUDA_CHECK(cudaEventCreate(&start_));
    FORGER_CUDA_CHECK(cudaEventCreate(&stop_));
  }
  ~CudaTimer() override {
    cudaEventDestroy(start_);
    cudaEventDestroy(stop_);
  }
  CudaTimer(const CudaTimer&) = delete;
  CudaTimer& operator=(const CudaTimer&) = delete;
  void start() override { FORGER_CUDA_CHECK(cudaEventRecord(start_, stream_)); }
  double stop() override {
    FORGER_CUDA_CHECK(cudaEventRecord(stop_, stream_));
    FORGER_CUDA_CHECK(cudaEventSynchronize(stop_));
    float milliseconds = 0;
    FORGER_CUDA_CHECK(cudaEventElapsedTime(&milliseconds, start_, stop_));
    return static_cast<double>(milliseconds);
  }

 private:
  cudaStream_t stream_;
  cudaEvent_t start_ = nullptr, stop_ = nullptr;
};

class CudaDevice : public Device {
 public:
  CudaDevice(int index, bool overlap) : index_(index), overlap_(overlap) {
    FORGER_CUDA_CHECK(cudaSetDevice(index));
    FORGER_CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  }
  ~CudaDevice() override { cudaStreamDestroy(stream_); }
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  std::string name() const override { return fmt::format("cuda:{}", index_); }

  void* allocate(size_t bytes) override {
    void* pointer = nullptr;
    const size_t size = std::max<size_t>(bytes, 1);
    if (const cudaError_t error = cudaMalloc(&pointer, size); error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      fail<DeviceError>(
          "{}: cudaMalloc of {:.1f} MiB failed, {:.1f} MiB are free; try a smaller --batch, or free the GPU's memory "
          "(nvidia-smi shows who holds it)",
          name(), static_cast<double>(size) / (1 << 20), static_cast<double>(available()) / (1 << 20));
    } else {
      FORGER_CUDA_CHECK(error);
    }
    sizes_[pointer] = size;
    count_allocation(size);
    return pointer;
  }
  size_t available() const override {
    size_t free = 0, total = 0;
    FORGER_CUDA_CHECK(cudaMemGetInfo(&free, &total));
    return free;
  }
  void release(void* pointer) noexcept override {
    cudaStreamSynchronize(stream_);  // queued work may still use it
    cudaFree(pointer);
    if (const auto it = sizes_.find(pointer); it != sizes_.end()) {
      count_release(it->second);
      sizes_.erase(it);
    }
  }
  void upload(void* device, const void* host, size_t bytes) override {
    FORGER_CUDA_CHECK(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream_));
    synchronize();
  }
  void download(void* host, const void* device, size_t bytes) override {
    FORGER_CUDA_CHECK(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream_));
    synchronize();
  }
  void copy(void* to, const void* from, size_t bytes) override {
    FORGER_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_));
  }
  Stream stream() const override { return stream_; }
  void synchronize() override { FORGER_CUDA_CHECK(cudaStreamSynchronize(stream_)); }
  bool is_asynchronous() const override { return true; }

  std::unique_ptr<Recording> record(std::span<const Work> pieces) override {
    cudaGraph_t graph = nullptr;
    FORGER_CUDA_CHECK(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
    try {
      std::vector<std::vector<cudaGraphNode_t>> ends;  // of each piece: the nodes after which it is done
      for (const Work& piece : pieces) {
        std::vector<cudaGraphNode_t> begin;
        for (int i : piece.after) {
          const auto& nodes = ends[static_cast<size_t>(i)];
          begin.insert(begin.end(), nodes.begin(), nodes.end());
        }
        set_dependencies(begin);
        piece.queue();
        ends.push_back(dependencies());
      }
    } catch (...) {
      cudaStreamEndCapture(stream_, &graph);
      cudaGraphDestroy(graph);
      throw;
    }
    FORGER_CUDA_CHECK(cudaStreamEndCapture(stream_, &graph));
    if (overlap_) overlap_kernels(graph);
    return std::make_unique<CudaGraph>(graph, stream_);
  }
  std::unique_ptr<Timer> make_timer() override { return std::make_unique<CudaTimer>(stream_); }

 private:
  /// What the next captured node waits for. One stream makes any graph that way, without events.
  void set_dependencies(std::vector<cudaGraphNode_t>& nodes) {
#if CUDART_VERSION >= 13000
    FORGER_CUDA_CHECK(
        cudaStreamUpdateCaptureDependencies(stream_, nodes.data(), nullptr, nodes.size(), cudaStreamSetCaptureDependencies));
#else
    FORGER_CUDA_CHECK(cudaStreamUpdateCaptureDependencies(stream_, nodes.data(), nodes.size(), cudaStreamSetCaptureDependencies));
#endif
  }
  std::vector<cudaGraphNode_t> dependencies() const {
    cudaStreamCaptureStatus status{};
    const cudaGraphNode_t* nodes = nullptr;
    size_t count = 0;
#if CUDART_VERSION >= 13000
    FORGER_CUDA_CHECK(cudaStreamGetCaptureInfo(stream_, &status, nullptr, nullptr, &nodes, nullptr, &count));
#else
    FORGER_CUDA_CHECK(cudaStreamGetCaptureInfo_v2(stream_, &status, nullptr, nullptr, &nodes, &count));
#endif
    return {nodes, nodes + count};
  }

  int index_;
  bool overlap_;
  cudaStream_t stream_ = nullptr;
  std::unordered_map<void*, size_t> sizes_;
};

}  // namespace

std::vector<GpuInfo> list_gpus(std::string& why_not) {
  int count = 0, driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    why_not = "no NVIDIA driver is installed (libcuda.so.1 was not found)";
    return {};
  }
  if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) {
    cudaGetLastError();
    why_not = error == cudaErrorInsufficientDriver
                  ? fmt::format("the driver is for CUDA {}, this binary was built with {}: update the driver",
                                version_text(driver), version_text(CUDART_VERSION))
                  : cudaGetErrorString(error);
    return {};
  }
  std::vector<GpuInfo> gpus;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp p{};
    if (cudaGetDeviceProperties(&p, i) != cudaSuccess) continue;
    const Multiprocessors multiprocessors{p.multiProcessorCount,
                                          std::min(p.sharedMemPerMultiprocessor, p.sharedMemPerBlockOptin + kReservedShared)};
    gpus.push_back({i, p.name, p.major, p.minor, multiprocessors, p.totalGlobalMem, static_cast<size_t>(p.l2CacheSize),
                    p.cooperativeLaunch != 0});
  }
  if (gpus.empty()) why_not = "no NVIDIA GPU is visible (see nvidia-smi and CUDA_VISIBLE_DEVICES)";
  return gpus;
}

std::string describe_cuda() {
  int driver = 0;
  const bool found = cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0;
  return fmt::format("toolkit {}, {}", version_text(CUDART_VERSION),
                     found ? "driver for " + version_text(driver) : std::string("no NVIDIA driver"));
}

std::shared_ptr<Device> open_gpu(int index, bool overlap) {
  std::string why_not;
  const auto gpus = list_gpus(why_not);
  if (gpus.empty()) fail<DeviceError>("--device cuda: {}; or use --device cpu", why_not);
  if (index < 0 || static_cast<size_t>(index) >= gpus.size()) {
    fail<DeviceError>("--device cuda:{}: there are {} GPUs, numbered from 0", index, gpus.size());
  }
  const GpuInfo& gpu = gpus[static_cast<size_t>(index)];
  if (gpu.major < kOldestMajor) {
    fail<DeviceError>("--device cuda:{}: {} has compute capability {}.{}, Forger's kernels need {}.0 or newer; use --device cpu",
                      index, gpu.name, gpu.major, gpu.minor, kOldestMajor);
  }
  if (overlap && gpu.major < kOldestToOverlap) {
    fail<DeviceError>("--launches overlapped: {} has compute capability {}.{}, overlapping needs {}.0 or newer; use joined",
                      gpu.name, gpu.major, gpu.minor, kOldestToOverlap);
  }
  return std::make_shared<CudaDevice>(index, overlap);
}

}  // namespace forger
