#include "engine/runtime/session.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "engine/ops/op_spec.h"

namespace forger {

namespace {

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

}  // namespace

Session::Session(Program program, VariableStore& variables, uint64_t seed)
    : program_(std::move(program)), variables_(variables), arena_(variables.device(), checked_arena_bytes(program_, variables)) {
  variables_.add(program_.graph, seed);
}

void Session::bind(const std::string& input, const void* data) {
  for (const Node& node : program_.graph.nodes()) {
    if (node.op->name != "input" || node.path != input) continue;
    bound_[node.id] = data;
    pointers_.clear();
    return;
  }
  fail<ConfigError>("the program has no input '{}'", input);
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
  for (const Launch& launch : program_.launches) {
    const Node& node = program_.graph.node(launch.node);
    Pointers p{{}, {}, nullptr};
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
  program_.launches[i].kernel.run({p.inputs, p.outputs, p.workspace});
}

void Session::copy_updates() {
  for (const MemoryPlan::Copy& copy : program_.memory.final_copies) {
    auto& entry = variables_.at(program_.graph.variables()[copy.variable].name);
    std::memcpy(entry.buffer.data(), address(copy.from), entry.type.bytes());
  }
}

void Session::run() {
  if (pointers_.empty()) resolve();
  for (size_t i = 0; i < program_.launches.size(); ++i) run_one(i);
  copy_updates();
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

std::optional<std::string> Session::run_checked() {
  if (pointers_.empty()) resolve();
  std::optional<std::string> first;
  for (size_t i = 0; i < program_.launches.size(); ++i) {
    run_one(i);
    const Node& node = program_.graph.node(program_.launches[i].node);
    for (size_t o = 0; !first && o < node.outputs.size(); ++o) {
      const TensorType& type = program_.graph.type(node.outputs[o]);
      if (!is_real(type.dtype)) continue;
      const void* data = pointers_[i].outputs[o];
      const bool finite = type.dtype == DType::f32 ? all_finite<float>(data, type.size()) : all_finite<double>(data, type.size());
      if (!finite) first = node.path;
    }
  }
  copy_updates();
  return first;
}

std::vector<Session::LaunchTime> Session::profile(int64_t repeats) {
  using Clock = std::chrono::steady_clock;
  run();  // warm-up
  std::vector<std::vector<double>> times(program_.launches.size());
  for (int64_t r = 0; r < repeats; ++r) {
    for (size_t i = 0; i < program_.launches.size(); ++i) {
      const auto start = Clock::now();
      run_one(i);
      times[i].push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
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

std::vector<double> Session::output(const std::string& name) const {
  const ValueId id = output_id(name);
  const TensorType& type = program_.graph.type(id);
  const void* data = address(id);
  const auto n = static_cast<size_t>(type.size());
  std::vector<double> values(n);
  for (size_t i = 0; i < n; ++i) {
    switch (type.dtype) {
      case DType::f32:
        values[i] = static_cast<double>(static_cast<const float*>(data)[i]);
        break;
      case DType::f64:
        values[i] = static_cast<const double*>(data)[i];
        break;
      case DType::i32:
        values[i] = static_cast<const int32_t*>(data)[i];
        break;
      case DType::i64:
        values[i] = static_cast<double>(static_cast<const int64_t*>(data)[i]);
        break;
      case DType::u64:
        values[i] = static_cast<double>(static_cast<const uint64_t*>(data)[i]);
        break;
      case DType::u8:
        values[i] = static_cast<const uint8_t*>(data)[i];
        break;
    }
  }
  return values;
}

}  // namespace forger
