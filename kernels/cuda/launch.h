// What every .cu file includes: CUDA or its emulation, shared memory, and the launch.
#pragma once

#include "kernels/cuda/stream.h"

#ifdef __CUDACC__
#include "kernels/cuda/check.h"
#include "kernels/cuda/ptx.h"
#else
#include "kernels/emulation/dialect.h"
#endif

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace forger::FORGER_DEVICE {

/// One-dimensional blocks; shared memory is all dynamic.
struct LaunchShape {
  unsigned grid_x = 1, grid_y = 1, grid_z = 1;
  unsigned threads = 256;
  size_t shared_bytes = 0;
  bool cooperative = false;  // all blocks are under way at once, or the launch is refused: they may wait for each other
};

/// The first statement of every kernel: a launch that overlaps those it depends on (--launches overlapped) is scheduled while
/// they still run, and may touch no memory before this. Those that depend on it are scheduled from here on.
__device__ __forceinline__ void begin_kernel() {
  ptx::await_launches();
  ptx::let_followers_begin();
}

constexpr int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

#ifdef __CUDACC__

/// The block's shared memory as one struct. A kernel uses one; its launch passes sizeof(T).
template <class T>
__device__ __forceinline__ T& block_shared() {
  extern __shared__ __align__(128) unsigned char forger_shared_bytes[];
  return *reinterpret_cast<T*>(forger_shared_bytes);
}

/// Launches without waiting. Throws DeviceError if the launch is refused.
template <class... Params>
void launch(void (*kernel)(Params...), const LaunchShape& shape, Stream stream, std::type_identity_t<Params>... args) {
  constexpr size_t kDefaultLimit = 48 << 10;
  if (shape.shared_bytes > kDefaultLimit) {
    FORGER_CUDA_CHECK(
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shape.shared_bytes)));
  }
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(shape.grid_x, shape.grid_y, shape.grid_z);
  config.blockDim = dim3(shape.threads);
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = stream;
  cudaLaunchAttribute together{};
  together.id = cudaLaunchAttributeCooperative;
  together.val.cooperative = 1;
  if (shape.cooperative) {
    config.attrs = &together;
    config.numAttrs = 1;
  }
  FORGER_CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, args...));
}

#else

template <class T>
T& block_shared() {
  return *static_cast<T*>(emulation::shared_memory());
}

template <class... Params>
void launch(void (*kernel)(Params...), const LaunchShape& shape, Stream stream, std::type_identity_t<Params>... args) {
  static const emulation::Options defaults;
  const auto* options = stream ? reinterpret_cast<const emulation::Options*>(stream) : &defaults;
  if (options->recording) {
    options->recording->push_back([=] {
      emulation::Options now = *options;
      now.recording = nullptr;
      launch(kernel, shape, reinterpret_cast<Stream>(&now), args...);
    });
    return;
  }
  if (options->observer) options->observer(reinterpret_cast<const void*>(kernel), shape.threads, shape.shared_bytes);
  const auto thread = [&] { kernel(args...); };
  emulation::run_grid(
      {shape.grid_x, shape.grid_y, shape.grid_z}, {shape.threads}, shape.shared_bytes,
      {[](void* closure) { (*static_cast<decltype(thread)*>(closure))(); }, const_cast<void*>(static_cast<const void*>(&thread))},
      *options, shape.cooperative);
}

#endif

}  // namespace forger::FORGER_DEVICE
