#include "bench/kernel_bench.h"

#include <algorithm>
#include <functional>
#include <map>

#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "engine/passes/passes.h"
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
  const std::vector<uint32_t> zeros(prepared.counters + 1, 0);
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

/// Milliseconds per launch of `launch(i)`, i = 0, 1, ... On a GPU the launches are recorded and replayed, so that the
/// host's part is not in the time.
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

/// Nodes with equal keys are the same problem. A random stream does not change the work.
std::string problem_of(const Graph& graph, const Node& node) {
  std::string key(node.op->name);
  for (ValueId id : node.inputs) key += " " + to_string(graph.type(id));
  Attributes attributes = node.attributes;
  for (const char* name : {"stream", "draw"}) {
    if (attributes.has(name)) attributes.set(name, int64_t{0});
  }
  return key + attributes.to_string();
}

Graph optimized(const Graph& graph) {
  Graph result = graph;
  for (const Pass& pass : default_passes()) result = pass.run(result);
  return result;
}

KernelTime time_kernel(const NodeView& view, const Kernel& kernel, Device& device, int64_t samples) {
  const PreparedKernel prepared = kernel.prepare(view);
  size_t bytes = prepared.workspace_bytes;
  for (size_t i = 0; i < view.num_inputs(); ++i) bytes += view.input(i).bytes();
  for (size_t i = 0; i < view.num_outputs(); ++i) bytes += view.output(i).bytes();
  const int64_t copies = std::clamp<int64_t>(static_cast<int64_t>(kBeyondCaches / std::max<size_t>(bytes, 1)), 2, kMaxCopies);
  std::vector<Buffers> buffers;
  for (int64_t i = 0; i < copies; ++i) buffers.push_back(make_buffers(device, view, prepared));
  const auto launch = [&](int64_t i) {
    const Buffers& b = buffers[static_cast<size_t>(i)];
    prepared.run({b.in, b.out, b.workspace.data(), device.stream(), static_cast<uint32_t*>(b.counters.data())});
  };
  KernelTime row;
  row.warm = time_launches(device, samples, [&](int64_t) { launch(0); });
  row.cold = time_launches(device, samples, [&](int64_t i) { launch(i % copies); });
  return row;
}

}  // namespace

Ceilings measure_ceilings(const Backend& backend) {
  Device& device = *backend.device;
  constexpr size_t kBytes = 256 << 20;
  constexpr int64_t kSamples = 5;
  const Buffer from(device, kBytes), to(device, kBytes);
  device.upload(from.data(), std::vector<std::byte>(kBytes).data(), kBytes);
  const Timing copy = time_launches(device, kSamples, [&](int64_t) { device.copy(to.data(), from.data(), kBytes); });

  const int64_t size = backend.place == Provider::Place::gpu ? 8192 : backend.place == Provider::Place::cpu ? 1024 : 64;
  Graph graph;
  const Value a = graph.input("a", {DType::f32, {size, size}}), b = graph.input("b", {DType::f32, {size, size}});
  matmul(a, b, false, false);
  const NodeView view(graph, graph.nodes().back(), backend.target);
  double best = 0;
  for (const Provider* provider : backend.providers) {
    const Provider* const only[] = {provider};
    try {
      const KernelTime t = time_kernel(view, *choose_kernel(view, only).kernel, device, kSamples);
      best = std::max(best, 2e-6 * static_cast<double>(size * size * size) / t.warm.min);
    } catch (const Error&) {  // no kernel for it
    }
    if (provider->name == "onednn") break;  // the plain loops would take minutes
  }
  return {2e-6 * static_cast<double>(kBytes) / copy.min, best};
}

std::vector<KernelTime> bench_kernels(const Graph& step, const Backend& backend, const Ceilings& ceilings,
                                      const KernelBenchOptions& options) {
  const Graph graph = optimized(step);
  std::map<std::string, int64_t> uses;
  for (const Node& node : graph.nodes()) ++uses[problem_of(graph, node)];
  std::vector<KernelTime> rows;
  for (const Node& node : graph.nodes()) {
    if (node.op->is_source || node.op->is_view || (!options.op.empty() && node.op->name != options.op)) continue;
    const auto it = uses.find(problem_of(graph, node));
    if (it == uses.end()) continue;  // timed already
    const NodeView view(graph, node, backend.target);
    const Cost cost = cost_of(graph, node);
    for (const Provider* provider : backend.providers) {
      const auto takes = [&](const Kernel& k) {
        return k.op == node.op->name && (!k.precision || *k.precision == backend.target.precision) && !k.declines(view);
      };
      const auto kernel = std::find_if(provider->kernels.begin(), provider->kernels.end(), takes);
      if (kernel == provider->kernels.end()) continue;
      KernelTime row = time_kernel(view, *kernel, *backend.device, options.samples);
      row.op = node.op->name;
      row.node = node.path;
      row.output = to_string(view.output(0));
      row.provider = provider->name;
      row.kernel = kernel->name;
      row.uses = it->second;
      row.gflops = static_cast<double>(cost.flops) * 1e-6 / row.cold.median;
      row.gbps = static_cast<double>(cost.bytes) * 1e-6 / row.cold.median;
      row.ceiling = std::max(row.gflops / ceilings.gflops, row.gbps / ceilings.gbps);
      rows.push_back(std::move(row));
    }
    uses.erase(it);
  }
  return rows;
}

}  // namespace forger
