#include "training/tuning_file.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "datasets/files.h"
#include "engine/runtime/autotune.h"
#include "kernels/common/errors.h"

namespace forger {
namespace {

/// Of the plans' texts: files of others are refused.
constexpr int kFormat = 2;

}  // namespace

std::string tuning_file(const std::string& device) {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  std::string folder = variable("FORGER_CACHE");
  if (folder.empty() && !variable("XDG_CACHE_HOME").empty()) folder = variable("XDG_CACHE_HOME") + "/forger";
  if (folder.empty() && !variable("HOME").empty()) folder = variable("HOME") + "/.cache/forger";
  if (folder.empty()) fail<ConfigError>("--autotune: there is no place to keep plans; set FORGER_CACHE to a folder");
  std::string name;
  for (const char c : device) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '-';
  return folder + "/plans-" + name + ".json";
}

Tuning read_tuning(const std::string& path, const std::string& device) {
  std::ifstream file(path);
  if (!file) return {};
  const auto json = nlohmann::json::parse(file, nullptr, false);
  try {
    if (json.at("device").get<std::string>() == device && json.at("format").get<int>() == kFormat) {
      return json.at("plans").get<Tuning>();
    }
  } catch (const nlohmann::json::exception&) {
  }
  fail<DataError>("{}: does not hold plans of this version's kernels for {}; delete it to time them again", path, device);
}

std::shared_ptr<const Tuning> tune(const Graph& step, const Backend& backend) {
  if (backend.place == Provider::Place::cpu)
    fail<ConfigError>("--autotune: a CPU's kernels have one plan each; leave it out, or use --device cuda");
  const std::string device = backend.device->name(), path = tuning_file(device);
  const Tuning known = read_tuning(path, device);
  const auto progress = [](const std::string& problem, size_t done, size_t of) {
    fmt::print(stderr, "autotune {}/{}: {}\n", done, of, problem.substr(0, 100));
  };
  Tuning all = autotune(step, backend.providers, backend.target, known, device_plan_timer(*backend.device), progress);
  if (all != known) write_tuning(path, device, all);
  return std::make_shared<const Tuning>(std::move(all));
}

void write_tuning(const std::string& path, const std::string& device, const Tuning& tuning) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (error) fail<DataError>("{}: its folder cannot be made: {}", path, error.message());
  const std::string text = nlohmann::json{{"device", device}, {"format", kFormat}, {"plans", tuning}}.dump(1) + "\n";
  write_file(path, {bytes_of(std::span<const char>(text))});
}

}  // namespace forger
