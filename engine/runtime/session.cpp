#include "engine/runtime/session.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/ops/block_program.h"
#include "engine/ops/op_spec.h"
#include "engine/runtime/dependencies.h"

namespace forger {

namespace {

constexpr int64_t kStepsPerReplay = 8;  // enough to hide the gap between two replays, few enough to record at once

/// The arena's size. Throws DeviceError if it and the new variables need more than there is: the system would promise
/// the memory and then kill the process that uses it.
size_t checked_arena_bytes(const Program& program, const VariableStore& variables) {
  size_t bytes = program.memory.arena_bytes;
  for (const Variable& v : program.graph.variables()) {
    if (!variables.contains(v.name)) bytes += program.graph.type(v.current).bytes();
  }
  constexpr double kGiB = 1 << 30;
  if (const size_t available = variables.device().available(); bytes > available) {
    fail<DeviceError>("{}: the memory plan needs {:.1f} GiB, {:.1f} GiB are available; try a smaller --batch",
                      variables.device().name(), static_cast<double>(bytes) / kGiB, static_cast<double>(available) / kGiB);
  }
  return program.memory.arena_bytes;
}

/// Counters of one launch begin a line of the L2 cache: launches that run side by side do not wait for each other's.
constexpr size_t kCountersPerLine = 32;

size_t counter_lines(const Launch& launch) {
  return (launch.kernel.words() + kCountersPerLine - 1) / kCountersPerLine * kCountersPerLine;
}

Buffer zero_counters(const Program& program, Device& device) {
  size_t count = kCountersPerLine;
  for (const Launch& launch : program.launches) count += counter_lines(launch);
  const std::vector<uint32_t> zeros(count, 0);
  Buffer buffer(device, sizeof(uint32_t) * count);
  device.upload(buffer.data(), zeros.data(), buffer.bytes());
  return buffer;
}

}  // namespace

Session::Session(Program program, VariableStore& variables, uint64_t seed)
    : program_(std::move(program)),
      variables_(variables),
      arena_(variables.device(), checked_arena_bytes(program_, variables)),
      counters_(zero_counters(program_, variables.device())) {
  variables_.add(program_.graph, seed);
}

NodeId Session::input_node(const std::string& name) const {
  for (const Node& node : program_.graph.nodes()) {
    if (node.op->name == "input" && node.path == name) return node.id;
  }
  fail<ConfigError>("the program has no input '{}'", name);
}

void Session::rebind(NodeId node, const void* device_memory) {
  const void*& bound = bound_[node];
  if (bound == device_memory) return;
  bound = device_memory;
  pointers_.clear();
  one_step_.reset();
  many_steps_.reset();
}

void Session::bind(const std::string& input, const void* data) {
  const NodeId node = input_node(input);
  if (device().is_asynchronous()) return feed(input, data);
  rebind(node, data);
}

void Session::feed(const std::string& input, const void* data) {
  const NodeId node = input_node(input);
  const size_t bytes = program_.graph.type(program_.graph.node(node).outputs[0]).bytes();
  auto it = fed_.find(node);
  if (it == fed_.end()) it = fed_.emplace(node, Buffer(device(), bytes)).first;
  device().upload(it->second.data(), data, bytes);
  rebind(node, it->second.data());
}

void* Session::address(ValueId id) const {
  const Location& where = program_.memory.values[static_cast<size_t>(id)];
  switch (where.kind) {
    case Location::Kind::arena:
      return static_cast<std::byte*>(arena_.data()) + program_.memory.block_offsets[where.index];
    case Location::Kind::variable:
      return variables_.at(program_.graph.variables()[where.index].name).buffer.data();
    case Location::Kind::input:
      break;
  }
  const auto it = bound_.find(static_cast<NodeId>(where.index));
  if (it == bound_.end())
    fail<ConfigError>("input '{}' is not bound", program_.graph.node(static_cast<NodeId>(where.index)).path);
  return const_cast<void*>(it->second);  // kernels never write to inputs: the planner keeps outputs out of them
}

void Session::resolve() {
  auto* counters = static_cast<uint32_t*>(counters_.data());
  for (const Launch& launch : program_.launches) {
    const Node& node = program_.graph.node(launch.node);
    Pointers p{{}, {}, nullptr, counters};
    counters += counter_lines(launch);
    for (ValueId id : node.inputs) p.inputs.push_back(address(id));
    for (ValueId id : node.outputs) p.outputs.push_back(address(id));
    const int block = program_.memory.workspace_block[static_cast<size_t>(node.id)];
    if (block >= 0)
      p.workspace = static_cast<std::byte*>(arena_.data()) + program_.memory.block_offsets[static_cast<size_t>(block)];
    pointers_.push_back(std::move(p));
  }
}

void Session::run_one(size_t i) {
  const Pointers& p = pointers_[i];
  program_.launches[i].kernel.run({p.inputs, p.outputs, p.workspace, device().stream(), p.counters});
}

void Session::copy_updates() {
  for (const MemoryPlan::Copy& copy : program_.memory.final_copies) {
    auto& entry = variables_.at(program_.graph.variables()[copy.variable].name);
    device().copy(entry.buffer.data(), address(copy.from), entry.type.bytes());
  }
}

void Session::run_step() {
  for (size_t i = 0; i < program_.launches.size(); ++i) run_one(i);
  copy_updates();
}

/// A GPU reports a kernel's failure later, with some other call: here every launch is waited for.
void Session::run_step_checked() {
  for (size_t i = 0; i < program_.launches.size(); ++i) {
    try {
      run_one(i);
      device().synchronize();
    } catch (const DeviceError& e) {
      const Launch& launch = program_.launches[i];
      fail<DeviceError>("{} ({}): {}", program_.graph.node(launch.node).path, launch.choice.kernel->name, e.what());
    }
  }
  copy_updates();
}

/// A step's launches wait only for those whose results they need or whose memory they take over; a step, for the whole
/// step before it.
std::unique_ptr<Recording> Session::record_steps(int64_t count) {
  const auto waits_for = launch_dependencies(program_);
  std::vector<Work> pieces;
  for (int64_t s = 0; s < count; ++s) {
    const int first = static_cast<int>(pieces.size());
    std::vector<bool> is_last(waits_for.size(), true);
    for (size_t i = 0; i < waits_for.size(); ++i) {
      Work piece{[this, i] { run_one(i); }, {}};
      for (int j : waits_for[i]) {
        piece.after.push_back(first + j);
        is_last[static_cast<size_t>(j)] = false;
      }
      if (waits_for[i].empty() && first > 0) piece.after.push_back(first - 1);
      pieces.push_back(std::move(piece));
    }
    // The end of a step: updates that could not be made in place, once everything else is done.
    Work end{[this] { copy_updates(); }, {}};
    for (size_t i = 0; i < is_last.size(); ++i) {
      if (is_last[i]) end.after.push_back(first + static_cast<int>(i));
    }
    pieces.push_back(std::move(end));
  }
  return device().record(pieces);
}

void Session::run(int64_t steps) {
  if (pointers_.empty()) resolve();
  if (!device().is_asynchronous()) {
    for (; steps > 0; --steps) run_step();
    return;
  }
  if (!checked_ && steps > 0) {
    run_step_checked();
    checked_ = true;
    --steps;
  }
  for (; steps >= kStepsPerReplay; steps -= kStepsPerReplay) {
    if (!many_steps_) many_steps_ = record_steps(kStepsPerReplay);
    many_steps_->replay();
  }
  for (; steps > 0; --steps) {
    if (!one_step_) one_step_ = record_steps(1);
    one_step_->replay();
  }
}

namespace {

template <class T>
bool all_finite(const void* data, int64_t n) {
  const T* values = static_cast<const T*>(data);
  for (int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(values[i])) return false;
  }
  return true;
}

}  // namespace

/// Of the node that makes an output: of a program, the one inside.
static const std::string& path_of(const Node& node, size_t output) {
  if (node.op->name != "block_program") return node.path;
  const Graph& program = program_of(node);
  return program.producer(program.outputs()[output].second).path;
}

std::optional<std::string> Session::run_checked() {
  if (pointers_.empty()) resolve();
  std::optional<std::string> first;
  for (size_t i = 0; i < program_.launches.size(); ++i) {
    run_one(i);
    const Node& node = program_.graph.node(program_.launches[i].node);
    for (size_t o = 0; !first && o < node.outputs.size(); ++o) {
      const TensorType& type = program_.graph.type(node.outputs[o]);
      if (!is_real(type.dtype)) continue;
      const auto bytes = contents(node.outputs[o]);
      const void* data = bytes.data();
      const bool finite = type.dtype == DType::f32 ? all_finite<float>(data, type.size()) : all_finite<double>(data, type.size());
      if (!finite) first = path_of(node, o);
    }
  }
  copy_updates();
  return first;
}

std::vector<Session::LaunchTime> Session::profile(int64_t repeats) {
  run();  // warm-up, and the check
  const auto timer = device().make_timer();
  std::vector<std::vector<double>> times(program_.launches.size());
  for (int64_t r = 0; r < repeats; ++r) {
    for (size_t i = 0; i < program_.launches.size(); ++i) {
      timer->start();
      run_one(i);
      times[i].push_back(timer->stop());
    }
    copy_updates();
  }
  std::vector<LaunchTime> rows;
  for (size_t i = 0; i < times.size(); ++i) {
    const Node& node = program_.graph.node(program_.launches[i].node);
    std::nth_element(times[i].begin(), times[i].begin() + static_cast<int64_t>(times[i].size() / 2), times[i].end());
    rows.push_back({node.path, std::string(program_.launches[i].choice.kernel->name), times[i][times[i].size() / 2],
                    cost_of(program_.graph, node)});
  }
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.milliseconds > b.milliseconds; });
  return rows;
}

ValueId Session::output_id(const std::string& name) const {
  for (const auto& [n, id] : program_.graph.outputs()) {
    if (n == name) return id;
  }
  fail<ConfigError>("the program has no output '{}'", name);
}

const TensorType& Session::output_type(const std::string& name) const {
  return program_.graph.type(output_id(name));
}

std::vector<std::byte> Session::contents(ValueId id) const {
  std::vector<std::byte> bytes(program_.graph.type(id).bytes());
  device().download(bytes.data(), address(id), bytes.size());
  return bytes;
}

std::vector<double> Session::output(const std::string& name) const {
  const ValueId id = output_id(name);
  return to_doubles(contents(id).data(), program_.graph.type(id));
}

}  // namespace forger
