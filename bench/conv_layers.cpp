// Times the convolutions of the MNIST DCGAN's training step, every layer in every direction, by each CPU provider.
//
// Usage: conv_layers [BATCH]. OMP_NUM_THREADS sets the number of threads. Providers take turns within a repetition, so that noise
// from other processes hits them alike; the minimum of the repetitions is printed, in milliseconds.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "kernels/direct/few_outputs.h"
#include "kernels/onednn/conv2d.h"
#include "kernels/winograd/conv2d.h"

using namespace forger;

namespace {

constexpr int kRepetitions = 15;

struct Layer {
  const char* name;
  int64_t image, channels, filters, window, stride;
};

// Input sizes of the convolutions; T1 and T2 are transposed: their forward pass is "input grad".
constexpr Layer kLayers[] = {{"G T1", 14, 128, 128, 4, 2},   {"G conv1", 14, 128, 128, 4, 1}, {"G T2", 28, 128, 128, 4, 2},
                             {"G conv2", 28, 128, 64, 4, 1}, {"G conv3", 28, 64, 1, 7, 1},    {"D conv1", 28, 1, 32, 3, 2},
                             {"D conv2", 14, 32, 64, 4, 2},  {"D conv3", 7, 64, 128, 4, 2},   {"D conv4", 4, 128, 256, 4, 1}};

Conv2dShape shape_of(const Layer& l, int64_t batch) {
  const int64_t P = same_output_size(l.image, l.stride), pad = same_padding_before(l.image, l.window, l.stride);
  return {batch, l.image, l.image, l.channels, l.filters, l.window, l.window, P, P, l.stride, l.stride, pad, pad};
}

/// 64-byte aligned floats, filled with random numbers.
struct Buffer {
  explicit Buffer(size_t floats) : storage(floats + 16) {
    std::minstd_rand random(1);
    for (float& v : storage) v = static_cast<float>(random() % 2000) / 1000.f - 1.f;
  }
  float* data() { return storage.data() + (16 - reinterpret_cast<uintptr_t>(storage.data()) / 4 % 16) % 16; }
  std::vector<float> storage;
};

/// One provider's run of one direction, its kernel and workspace kept alive.
struct Candidate {
  std::function<void()> run;
  size_t workspace_bytes = 0;
  double best_ms = 1e30;
};

template <class Kernel, class Run>
Candidate candidate(std::shared_ptr<Kernel> kernel, Run run) {
  auto workspace = std::make_shared<Buffer>(kernel->workspace_bytes() / 4 + 1);
  return {[kernel, workspace, run] { run(*kernel, workspace->data()); }, kernel->workspace_bytes()};
}

void time(const Layer& layer, const char* direction, std::vector<Candidate> candidates, double gflop) {
  for (int i = 0; i < kRepetitions; ++i) {
    for (auto& c : candidates) {
      if (!c.run) continue;
      const auto start = std::chrono::steady_clock::now();
      c.run();
      const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - start;
      c.best_ms = std::min(c.best_ms, ms.count());
    }
  }
  fmt::print("{:8} {:11}", layer.name, direction);
  for (const auto& c : candidates) {
    if (c.run) {
      fmt::print(" {:8.2f} ms {:5.0f} GFLOP/s {:6.1f} MB", c.best_ms, gflop / c.best_ms * 1e3, c.workspace_bytes * 1e-6);
    } else {
      fmt::print(" {:>36}", "-");
    }
  }
  fmt::print("\n");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t batch = argc > 1 ? std::atoll(argv[1]) : 32;
  fmt::print("batch {}; GFLOP/s count padding taps; MB is workspace\n{:20} {:>36} {:>36} {:>36}\n", batch, "", "onednn",
             "winograd", "direct");
  for (const auto& layer : kLayers) {
    const Conv2dShape s = shape_of(layer, batch);
    Buffer x(s.input_size()), w(s.filter_size()), dy(s.output_size()), y(s.output_size()), dx(s.input_size()),
        dw(s.filter_size());
    const double gflop = static_cast<double>(s.flops()) * 1e-9;
    const auto forward = [&](auto& kernel, float* ws) { kernel.run(x.data(), w.data(), nullptr, y.data(), ws); };
    const auto input = [&](auto& kernel, float* ws) { kernel.run(dy.data(), w.data(), nullptr, dx.data(), ws); };
    const auto filter = [&](auto& kernel, float* ws) { kernel.run(x.data(), dy.data(), dw.data(), ws); };
    const bool fast = !winograd::computes(s), few = !direct::supports_forward(s), few_grad = !direct::supports_filter_grad(s);
    time(layer, "forward",
         {candidate(std::make_shared<onednn::Conv2d>(s, false), forward),
          fast ? candidate(std::make_shared<winograd::Conv2d>(s, false), forward) : Candidate{},
          few ? candidate(std::make_shared<direct::Conv2d>(s, false), forward) : Candidate{}},
         gflop);
    time(layer, "input grad",
         {candidate(std::make_shared<onednn::Conv2dInputGrad>(s, false), input),
          fast ? candidate(std::make_shared<winograd::Conv2dInputGrad>(s, false), input) : Candidate{}, Candidate{}},
         gflop);
    time(layer, "filter grad",
         {candidate(std::make_shared<onednn::Conv2dFilterGrad>(s), filter),
          fast ? candidate(std::make_shared<winograd::Conv2dFilterGrad>(s), filter) : Candidate{},
          few_grad ? candidate(std::make_shared<direct::Conv2dFilterGrad>(s), filter) : Candidate{}},
         gflop);
  }
}
