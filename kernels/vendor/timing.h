// Which of several ways to compute the same thing is the fastest on this GPU.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kernels/cuda/stream.h"

namespace forger::vendor {

/// A block of GPU memory of its own, filled with small positive numbers (zeros would flatter a kernel: they cost less
/// power and so clock higher). Throws DeviceError if there is not enough.
class Scratch {
 public:
  explicit Scratch(size_t bytes);
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
};

struct Fastest {
  size_t index;
  double microseconds;
};

/// Runs every candidate on a stream of its own and returns the fastest. A time is the median of several samples of many
/// runs replayed as one CUDA graph, so that the time to launch, which a captured training step does not pay, is not in
/// it; a candidate that cannot be captured is timed launch by launch. Operands stay in the L2 cache if they fit.
///
/// Timing is noise, and engines round differently: a later candidate wins only if it is clearly (kMargin) faster than
/// the best before it, so that equals fall to the library's own order and one machine tends to choose alike every time.
///
/// Candidates that throw are passed over. Throws DeviceError, with the last one's message, if all do.
Fastest fastest(std::span<const std::function<void(Stream)>> candidates);

constexpr double kMargin = 0.03;

}  // namespace forger::vendor
