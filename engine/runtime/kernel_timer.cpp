#include "engine/runtime/kernel_timer.h"

#include <algorithm>

#include "kernels/common/philox.h"

namespace forger {
namespace {

constexpr size_t kBeyondCaches = 192 << 20;  // bytes: three times the L2 of an H200, more than a desktop CPU's L3
constexpr int64_t kMaxCopies = 64;           // of a small problem's buffers
constexpr double kSampleMilliseconds = 2;    // launches of one timing take at least about this long

/// The buffers of one problem.
struct Buffers {
  std::vector<Buffer> inputs, outputs;
  Buffer workspace, counters;
  std::vector<void*> in, out;
};

/// Numbers in [0.01, 1), which no op of a training step minds; counters, rows and labels are zero.
std::vector<std::byte> contents(const TensorType& type, uint64_t seed) {
  if (!is_real(type.dtype)) return std::vector<std::byte>(type.bytes());
  std::vector<float> values(static_cast<size_t>(type.size()));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = 0.01f + 0.99f * philox_uniform(philox_block(seed, 0, 0, static_cast<uint32_t>(i / 4)).v[i % 4]);
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(values.data());
  return {bytes, bytes + type.bytes()};
}

Buffers make_buffers(Device& device, const NodeView& view, const PreparedKernel& prepared) {
  Buffers b;
  for (size_t i = 0; i < view.num_inputs(); ++i) {
    b.inputs.emplace_back(device, view.input(i).bytes());
    device.upload(b.inputs.back().data(), contents(view.input(i), i).data(), view.input(i).bytes());
  }
  for (size_t i = 0; i < view.num_outputs(); ++i) b.outputs.emplace_back(device, view.output(i).bytes());
  b.workspace = Buffer(device, prepared.workspace_bytes);
  const std::vector<uint32_t> zeros(prepared.words() + 1, 0);
  b.counters = Buffer(device, sizeof(uint32_t) * zeros.size());
  device.upload(b.counters.data(), zeros.data(), b.counters.bytes());
  for (const Buffer& x : b.inputs) b.in.push_back(x.data());
  for (const Buffer& x : b.outputs) b.out.push_back(x.data());
  return b;
}

Timing summarize(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2], times.front(), times.back()};
}

}  // namespace

Timing time_launches(Device& device, int64_t samples, const std::function<void(int64_t)>& launch) {
  const auto timer = device.make_timer();
  launch(0);  // not recorded: errors show here
  timer->start();
  launch(1);
  const double once = std::max(timer->stop(), 1e-4);
  const int64_t count = std::clamp<int64_t>(static_cast<int64_t>(kSampleMilliseconds / once), 1, 200);
  const auto all = [&] {
    for (int64_t i = 0; i < count; ++i) launch(i);
  };
  std::vector<Work> pieces;
  for (int64_t i = 0; i < count; ++i) {
    pieces.push_back({[&launch, i] { launch(i); }, {}});
    if (i > 0) pieces.back().after.push_back(static_cast<int>(i - 1));
  }
  const auto recording = device.record(pieces);
  std::vector<double> times;
  for (int64_t s = 0; s <= samples; ++s) {
    timer->start();
    if (recording) {
      recording->replay();
    } else {
      all();
    }
    const double ms = timer->stop() / static_cast<double>(count);
    if (s > 0) times.push_back(ms);  // the first warms up
  }
  return summarize(std::move(times));
}

KernelTiming time_kernel(const NodeView& view, const PreparedKernel& kernel, Device& device, int64_t samples) {
  size_t bytes = kernel.workspace_bytes;
  for (size_t i = 0; i < view.num_inputs(); ++i) bytes += view.input(i).bytes();
  for (size_t i = 0; i < view.num_outputs(); ++i) bytes += view.output(i).bytes();
  const int64_t copies = std::clamp<int64_t>(static_cast<int64_t>(kBeyondCaches / std::max<size_t>(bytes, 1)), 2, kMaxCopies);
  std::vector<Buffers> buffers;
  for (int64_t i = 0; i < copies; ++i) buffers.push_back(make_buffers(device, view, kernel));
  const auto launch = [&](int64_t i) {
    const Buffers& b = buffers[static_cast<size_t>(i)];
    kernel.run({b.in, b.out, b.workspace.data(), device.stream(), static_cast<uint32_t*>(b.counters.data())});
  };
  KernelTiming timing;
  timing.warm = time_launches(device, samples, [&](int64_t) { launch(0); });
  timing.cold = time_launches(device, samples, [&](int64_t i) { launch(i % copies); });
  return timing;
}

}  // namespace forger
