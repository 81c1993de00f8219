#include "kernels/vendor/timing.h"

#include <algorithm>

#include "kernels/common/errors.h"
#include "kernels/cuda/check.h"

namespace forger::vendor {
namespace {

using Candidate = std::function<void(Stream)>;

/// The stream and events of a measurement.
class Clock {
 public:
  Clock() {
    FORGER_CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    FORGER_CUDA_CHECK(cudaEventCreate(&begin_));
    FORGER_CUDA_CHECK(cudaEventCreate(&end_));
  }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  ~Clock() {
    if (end_) cudaEventDestroy(end_);
    if (begin_) cudaEventDestroy(begin_);
    if (stream_) cudaStreamDestroy(stream_);
  }
  Stream stream() const { return stream_; }

  double milliseconds(const std::function<void()>& work) {
    FORGER_CUDA_CHECK(cudaEventRecord(begin_, stream_));
    work();
    FORGER_CUDA_CHECK(cudaEventRecord(end_, stream_));
    FORGER_CUDA_CHECK(cudaEventSynchronize(end_));
    float elapsed = 0;
    FORGER_CUDA_CHECK(cudaEventElapsedTime(&elapsed, begin_, end_));
    return elapsed;
  }

 private:
  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

/// `repeats` runs as one CUDA graph, if the candidate can be captured.
class Replay {
 public:
  Replay(const Candidate& run, int repeats, Stream stream) {
    if (cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) != cudaSuccess) {
      give_up();
      return;
    }
    bool fine = true;
    try {
      for (int i = 0; i < repeats; ++i) run(stream);
    } catch (const Error&) {
      fine = false;
    }
    // A capture must be ended even if it went wrong, or the stream stays unusable.
    fine = cudaStreamEndCapture(stream, &graph_) == cudaSuccess && fine;
    if (!fine || cudaGraphInstantiate(&executable_, graph_, 0) != cudaSuccess) give_up();
  }
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;
  ~Replay() {
    if (executable_) cudaGraphExecDestroy(executable_);
    if (graph_) cudaGraphDestroy(graph_);
  }
  bool captured() const { return executable_ != nullptr; }
  void launch(Stream stream) const { FORGER_CUDA_CHECK(cudaGraphLaunch(executable_, stream)); }

 private:
  void give_up() {
    executable_ = nullptr;
    cudaGetLastError();  // not an error of ours
  }

  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
};

double microseconds_of(const Candidate& run, Clock& clock) {
  constexpr int kSamples = 7, kMostRepeats = 20;
  constexpr double kSampleMs = 0.5;
  const auto once = [&] { run(clock.stream()); };
  clock.milliseconds(once);  // loads the kernels, which must not happen during a capture
  const double first = clock.milliseconds(once);
  const int repeats = std::clamp(static_cast<int>(kSampleMs / std::max(first, 1e-3)), 1, kMostRepeats);
  const Replay replay(run, repeats, clock.stream());
  const auto sample = [&] {
    if (replay.captured()) return replay.launch(clock.stream());
    for (int i = 0; i < repeats; ++i) once();
  };
  clock.milliseconds(sample);
  std::vector<double> samples;
  for (int i = 0; i < kSamples; ++i) samples.push_back(clock.milliseconds(sample));
  std::nth_element(samples.begin(), samples.begin() + kSamples / 2, samples.end());
  return samples[kSamples / 2] / repeats * 1e3;
}

}  // namespace

Scratch::Scratch(size_t bytes) {
  constexpr int kByte = 0x3c;  // 0x3c3c3c3c is 0.0115 as f32, and as bf16
  FORGER_CUDA_CHECK(cudaMalloc(&data_, std::max<size_t>(bytes, 1)));
  if (const cudaError_t error = cudaMemset(data_, kByte, std::max<size_t>(bytes, 1)); error != cudaSuccess) {
    cudaFree(data_);
    FORGER_CUDA_CHECK(error);
  }
}

Scratch::~Scratch() {
  cudaFree(data_);
}

Fastest fastest(std::span<const Candidate> candidates) {
  FORGER_CUDA_CHECK(cudaDeviceSynchronize());  // the scratch memory is filled on another stream
  Clock clock;
  Fastest best{candidates.size(), 0};
  std::string problem = "there are no candidates";
  for (size_t i = 0; i < candidates.size(); ++i) {
    try {
      const double us = microseconds_of(candidates[i], clock);
      if (best.index == candidates.size() || us < best.microseconds * (1 - kMargin)) best = {i, us};
    } catch (const Error& e) {
      problem = e.what();
      cudaGetLastError();
    }
  }
  if (best.index == candidates.size()) fail<DeviceError>("no candidate runs; the last one: {}", problem);
  return best;
}

}  // namespace forger::vendor
