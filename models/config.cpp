#include "models/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include <fmt/ranges.h>

#include "kernels/common/errors.h"

namespace forger {
namespace {

std::string show(const OptionValue& value) {
  if (const auto* i = std::get_if<int64_t>(&value)) return std::to_string(*i);
  if (const auto* d = std::get_if<double>(&value)) return fmt::format("{}", *d);
  return std::get<std::string>(value);
}

void check(const Option& option, const OptionValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    try {
      (void)nlohmann::json(*text).dump();
    } catch (const nlohmann::json::exception&) {
      fail<ConfigError>("--{}: is no UTF-8, so that the config cannot keep it; rename the thing", option.name);
    }
    if (option.choices.empty() || std::find(option.choices.begin(), option.choices.end(), *text) != option.choices.end()) return;
    fail<ConfigError>("--{}: '{}' is none of: {}", option.name, *text, fmt::join(option.choices, ", "));
  }
  const double number =
      std::holds_alternative<int64_t>(value) ? static_cast<double>(std::get<int64_t>(value)) : std::get<double>(value);
  if (!(number >= option.low && number <= option.high)) {
    fail<ConfigError>("--{}: {} is out of range, expected {} to {}", option.name, show(value), option.low, option.high);
  }
}

template <class T>
bool parse(const std::string& text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

nlohmann::json parse_json(const std::string& text, const std::string& where) {
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& e) {
    std::string what = e.what();
    std::replace(what.begin(), what.end(), '\n', ' ');
    fail<ConfigError>("{}: not valid JSON: {}", where, what);
  }
  if (!json.is_object()) fail<ConfigError>("{}: expected a JSON object of options", where);
  return json;
}

}  // namespace

bool Config::has(const std::string& name) const {
  return std::any_of(options_.begin(), options_.end(), [&](const Option& o) { return o.name == name; });
}

const Option& Config::at(const std::string& name) const {
  return const_cast<Config*>(this)->find(name);
}

Option& Config::find(const std::string& name) {
  std::vector<std::string> names;
  for (Option& option : options_) {
    if (option.name == name) return option;
    names.push_back(option.name);
  }
  fail<ConfigError>("recipe {} has no option '{}'; did you mean '{}'?", recipe_, name, nearest_name(name, names));
}

std::string Config::to_string(const std::string& name) const {
  return show(at(name).value);
}

void Config::set(const std::string& name, const std::string& text) {
  const Option& option = find(name);
  OptionValue value = text;
  if (std::holds_alternative<int64_t>(option.value)) {
    int64_t number = 0;
    if (!parse(text, number)) fail<ConfigError>("--{}: '{}' is not a whole number (of at most 63 bits)", name, text);
    value = number;
  } else if (std::holds_alternative<double>(option.value)) {
    double number = 0;
    if (!parse(text, number) || !std::isfinite(number)) fail<ConfigError>("--{}: '{}' is not a number", name, text);
    value = number;
  }
  set(name, std::move(value));
}

void Config::set(const std::string& name, OptionValue value) {
  Option& option = find(name);
  check(option, value);
  option.value = std::move(value);
}

std::string Config::to_json() const {
  nlohmann::json json;
  json["recipe"] = recipe_;
  for (const Option& option : options_) {
    std::visit([&](const auto& value) { json[option.name] = value; }, option.value);
  }
  return json.dump(2);
}

std::string recipe_of_json(const std::string& text, const std::string& where) {
  const nlohmann::json json = parse_json(text, where);
  const auto it = json.find("recipe");
  if (it == json.end() || !it->is_string()) fail<ConfigError>("{}: has no \"recipe\"", where);
  return it->get<std::string>();
}

void Config::merge_json(const std::string& text, const std::string& where) {
  const nlohmann::json json = parse_json(text, where);
  for (const auto& [key, value] : json.items()) {
    if (key == "recipe") {
      if (value != recipe_) fail<ConfigError>("{}: is for recipe {}, expected {}", where, value.dump(), recipe_);
      continue;
    }
    if (!has(key)) {
      std::vector<std::string> names;
      for (const Option& o : options_) names.push_back(o.name);
      fail<ConfigError>("{}: recipe {} has no option '{}'; did you mean '{}'?", where, recipe_, key, nearest_name(key, names));
    }
    const OptionValue& old = at(key).value;
    try {
      if (std::holds_alternative<std::string>(old) && value.is_string()) {
        set(key, OptionValue(value.get<std::string>()));
      } else if (std::holds_alternative<int64_t>(old) && value.is_number_integer()) {
        set(key, OptionValue(value.get<int64_t>()));
      } else if (std::holds_alternative<double>(old) && value.is_number()) {
        set(key, OptionValue(value.get<double>()));
      } else {
        const char* expected[] = {"a whole number", "a number", "text"};
        fail<ConfigError>("'{}' is {}, expected {}", key, value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace),
                          expected[old.index()]);
      }
    } catch (const ConfigError& e) {
      fail<ConfigError>("{}: {}", where, e.what());
    }
  }
}

std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates) {
  const auto distance = [](const std::string& a, const std::string& b) {  // Levenshtein, one row at a time
    std::vector<size_t> row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j <= b.size(); ++j) {
        const size_t substitute = diagonal + (a[i - 1] != b[j - 1]);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
      }
    }
    return row[b.size()];
  };
  std::string best;
  size_t best_distance = SIZE_MAX;
  for (const std::string& c : candidates) {
    if (const size_t d = distance(name, c); d < best_distance) {
      best = c;
      best_distance = d;
    }
  }
  return best;
}

}  // namespace forger
