// A recipe's hyperparameters: every option is a flag of `forger train` and a key of config.json, with the same name.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace forger {

using OptionValue = std::variant<int64_t, double, std::string>;

/// One option: its type is the type of its default.
struct Option {
  std::string name = {};   // "n-critic"
  OptionValue value = {};  // default
  std::string help = {};
  double low = 0, high = 0;               // numbers: smallest and largest allowed
  std::vector<std::string> choices = {};  // text: allowed values; empty: any
  bool may_change_on_resume = false;      // does not change what is computed, or only for how long
};

class Config {
 public:
  Config() = default;
  Config(std::string recipe, std::vector<Option> options) : recipe_(std::move(recipe)), options_(std::move(options)) {}

  const std::string& recipe() const { return recipe_; }
  const std::vector<Option>& options() const { return options_; }
  bool has(const std::string& name) const;

  int64_t integer(const std::string& name) const { return std::get<int64_t>(at(name).value); }
  double real(const std::string& name) const { return std::get<double>(at(name).value); }
  const std::string& text(const std::string& name) const { return std::get<std::string>(at(name).value); }
  std::string to_string(const std::string& name) const;

  /// Sets an option from text. Throws ConfigError that names the option, what was given, what is allowed; for an
  /// unknown option it suggests the nearest name.
  void set(const std::string& name, const std::string& text);
  void set(const std::string& name, OptionValue value);

  /// Sorted JSON object with "recipe" and every option.
  std::string to_json() const;
  /// Sets options from a JSON object (a file of --config, or a checkpoint's metadata). `where` starts error messages.
  /// Throws ConfigError for bad JSON, unknown keys, wrong types, values out of range or another recipe.
  void merge_json(const std::string& json, const std::string& where);

  bool operator==(const Config& other) const { return to_json() == other.to_json(); }

 private:
  const Option& at(const std::string& name) const;
  Option& find(const std::string& name);

  std::string recipe_;
  std::vector<Option> options_;
};

/// The name of a config's recipe, from its JSON. Throws ConfigError.
std::string recipe_of_json(const std::string& json, const std::string& where);

/// The candidate with the smallest edit distance to `name`.
std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates);

}  // namespace forger
