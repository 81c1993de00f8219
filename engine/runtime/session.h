// Runs a program over a variable store.
#pragma once

#include <optional>

#include "engine/ops/op_spec.h"
#include "engine/runtime/program.h"
#include "engine/runtime/variable_store.h"

namespace forger {

class Session {
 public:
  /// Takes the arena from the store's device and adds the program's variables to the store, initialised from `seed`.
  /// Throws DeviceError, before it takes anything, if the device has less memory than they need.
  Session(Program program, VariableStore& variables, uint64_t seed);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Makes host memory that outlives the session's runs an input: read in place on the CPU, copied once to a GPU.
  /// Throws ConfigError for an unknown name.
  void bind(const std::string& input, const void* data);
  /// Copies host memory into an input that the session owns; the next runs read it.
  void feed(const std::string& input, const void* data);

  /// Passes over the program: for a training graph, steps. On a GPU they are only queued, as replays of CUDA graphs, and
  /// the first run is checked launch by launch. Throws DeviceError that names the node whose kernel failed.
  void run(int64_t steps = 1);

  /// The same, but looks at every real result: returns the path of the first node that made a NaN or an infinity.
  std::optional<std::string> run_checked();

  /// Runs `repeats` times and returns the median time of every launch alone, slowest first.
  struct LaunchTime {
    std::string path, kernel;
    double milliseconds;
    Cost cost;
  };
  std::vector<LaunchTime> profile(int64_t repeats);

  /// An output of the last run, as doubles.
  std::vector<double> output(const std::string& name) const;
  double scalar(const std::string& name) const { return output(name).at(0); }
  const TensorType& output_type(const std::string& name) const;

  const Program& program() const { return program_; }
  Device& device() const { return variables_.device(); }

 private:
  struct Pointers {
    std::vector<void*> inputs, outputs;
    void* workspace;
    uint32_t* counters;
  };
  void* address(ValueId id) const;
  NodeId input_node(const std::string& name) const;
  void rebind(NodeId node, const void* device_memory);
  void resolve();
  void run_one(size_t launch);
  void run_step();
  void run_step_checked();
  std::unique_ptr<Recording> record_steps(int64_t count);
  void copy_updates();
  ValueId output_id(const std::string& name) const;
  std::vector<std::byte> contents(ValueId id) const;

  Program program_;
  VariableStore& variables_;
  Buffer arena_, counters_;
  std::map<NodeId, const void*> bound_;
  std::map<NodeId, Buffer> fed_;
  std::vector<Pointers> pointers_;  // by launch; empty until resolved
  bool checked_ = false;            // the first run has gone well
  std::unique_ptr<Recording> one_step_, many_steps_;
};

}  // namespace forger
