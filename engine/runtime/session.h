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

  /// Binds device memory that outlives the session's runs to an input. Throws ConfigError for an unknown name.
  void bind(const std::string& input, const void* data);

  /// One pass over the program: for a training graph, one step.
  void run();

  /// The same, but looks at every real result: returns the path of the first node that made a NaN or an infinity.
  std::optional<std::string> run_checked();

  /// Runs `repeats` times and returns the median time of every launch, slowest first.
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

 private:
  struct Pointers {
    std::vector<void*> inputs, outputs;
    void* workspace;
  };
  void* address(ValueId id) const;
  void resolve();
  void run_one(size_t launch);
  void copy_updates();
  ValueId output_id(const std::string& name) const;

  Program program_;
  VariableStore& variables_;
  Buffer arena_;
  std::map<NodeId, const void*> bound_;
  std::vector<Pointers> pointers_;  // by launch; empty until resolved
};

}  // namespace forger
