// A network's variables under one name, and a table of its layers.
#pragma once

#include <map>

#include "engine/graph/graph.h"
#include "models/network_options.h"

namespace forger {

/// One row of `forger summary`.
struct LayerRow {
  std::string name;    // "conv2d_1"
  std::string type;    // "Conv2D"
  Shape output;        // without the batch axis
  int64_t parameters;  // trainable and not
};

/// Maps names to *current* values: after an optimizer's update, a parameter's name gives the updated value.
class Network {
 public:
  Network(Graph& graph, std::string name, NetworkOptions options = {})
      : graph_(&graph), name_(std::move(name)), options_(options) {}

  Graph& graph() const { return *graph_; }
  const std::string& name() const { return name_; }
  const NetworkOptions& options() const { return options_; }

  /// The current value of a trainable parameter; creates its variable "NAME/name" at first use.
  Value parameter(const std::string& name, Shape shape, Initializer initializer);
  /// The same for state that no optimizer touches (running statistics).
  Value state(const std::string& name, Shape shape, Initializer initializer);
  void set(const std::string& name, Value value);
  Value get(const std::string& name) const { return values_.at(name); }

  /// Names of the trainable parameters, in order of creation.
  const std::vector<std::string>& parameter_names() const { return parameters_; }
  std::vector<Value> parameters() const;
  /// Parameters and states, sorted by name.
  const std::map<std::string, Value>& values() const { return values_; }

  /// A weight after spectral normalisation, kept so that all passes that read the same weight share it.
  struct Normalized {
    Value weight, result;
    bool advanced = false;  // a power iteration was kept for this weight
  };
  Normalized& normalized(const std::string& name) { return normalized_[name]; }

  /// A value inside the network that a loss reads: what the last pass left under this name.
  void set_tap(const std::string& name, Value value) { taps_[name] = value; }
  Value tap(const std::string& name) const { return taps_.at(name); }

  /// Rows are kept from the first pass through the layers.
  void add_row(LayerRow row);
  const std::vector<LayerRow>& rows() const { return rows_; }
  int64_t num_parameters(bool trainable) const;

  /// Declares the current values as what the variables hold after the step.
  void commit();

 private:
  Value variable(const std::string& name, Shape shape, Initializer initializer, bool trainable);

  Graph* graph_;
  std::string name_;
  NetworkOptions options_;
  std::map<std::string, Value> values_, taps_;
  std::map<std::string, Normalized> normalized_;
  std::vector<std::string> parameters_;
  std::vector<LayerRow> rows_;
};

}  // namespace forger
