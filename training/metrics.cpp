#include "training/metrics.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "datasets/files.h"
#include "kernels/common/errors.h"

namespace forger {
namespace {

/// Calls f(object) for every line that is a JSON object; a line cut off by a crash is none.
template <class F>
void for_each_line(const std::string& path, F f) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_object() && json.contains("step") && json["step"].is_number_integer()) f(line, json);
  }
}

}  // namespace

MetricsFile::MetricsFile(const std::string& path, int64_t first_step) : path_(path) {
  std::string kept;
  for_each_line(path, [&](const std::string& line, const nlohmann::json& json) {
    if (json["step"].get<int64_t>() < first_step) kept += line + "\n";
  });
  write_file(path, {bytes_of(std::span<const char>(kept))});
  file_ = std::fopen(path.c_str(), "a");
  if (!file_) fail<DataError>("{}: cannot write: {}", path, std::strerror(errno));
}

MetricsFile::~MetricsFile() {
  std::fclose(file_);
}

void MetricsFile::write(const std::string& line) {
  if (std::fputs((line + "\n").c_str(), file_) < 0 || std::fflush(file_) != 0) {
    fail<DataError>("{}: cannot write: {}", path_, std::strerror(errno));
  }
}

void MetricsFile::append(int64_t step, const std::vector<std::pair<std::string, double>>& values) {
  nlohmann::ordered_json json;
  json["step"] = step;
  for (const auto& [name, value] : values) json[name] = value;
  write(json.dump());
}

void MetricsFile::append(int64_t step, const std::string& name, const std::vector<double>& values) {
  nlohmann::ordered_json json;
  json["step"] = step;
  json[name] = values;
  write(json.dump());
}

void MetricsFile::append_verdict(int64_t step, const std::string& verdict, const std::string& message,
                                 const std::vector<std::string>& all) {
  nlohmann::ordered_json json;
  json["step"] = step;
  json["verdict"] = verdict;
  json["message"] = message;
  json["all"] = all;
  write(json.dump());
}

std::vector<std::pair<int64_t, std::vector<double>>> MetricsFile::read_lists(const std::string& path, const std::string& name) {
  std::vector<std::pair<int64_t, std::vector<double>>> lists;
  for_each_line(path, [&](const std::string&, const nlohmann::json& json) {
    if (json.contains(name) && json[name].is_array())
      lists.emplace_back(json["step"].get<int64_t>(), json[name].get<std::vector<double>>());
  });
  return lists;
}

std::vector<std::pair<double, double>> MetricsFile::read_numbers(const std::string& path, const std::string& name) {
  std::vector<std::pair<double, double>> numbers;
  for_each_line(path, [&](const std::string&, const nlohmann::json& json) {
    if (json.contains(name) && json[name].is_number()) numbers.emplace_back(json["step"].get<double>(), json[name].get<double>());
  });
  return numbers;
}

}  // namespace forger
