#include "training/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "kernels/common/errors.h"

namespace forger {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCheckpointPrefix = "checkpoint";
constexpr const char* kCheckpointExtension = ".safetensors";
constexpr const char* kLock = ".lock";

/// Throws DataError unless the directory exists or could be made.
void make_directory(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error || !fs::is_directory(path)) {
    fail<DataError>("{}: cannot make this directory: {}; choose another --out", path,
                    error ? error.message() : "a file of this name is in the way");
  }
}

/// One more than the largest number that a run under `root` begins with.
int next_number(const std::string& root) {
  int next = 0;
  for (const auto& entry : fs::directory_iterator(root)) {
    const std::string name = entry.path().filename();
    if (name.size() > 5 && name[5] == '-' && std::all_of(name.begin(), name.begin() + 5, ::isdigit)) {
      next = std::max(next, std::stoi(name.substr(0, 5)) + 1);
    }
  }
  return next;
}

bool holds_config(const std::string& directory) {
  std::error_code error;
  return fs::exists(directory + "/config.json", error);
}

/// Throws DataError if there is a run in it.
void check_empty(const std::string& out) {
  if (holds_config(out) || !list_checkpoints(out).empty()) {
    fail<DataError>("{}: holds a run already; continue it with --resume {} or choose another --out", out, out);
  }
}

/// Removes what a killed process left of a checkpoint that it was writing.
void remove_leftovers(const std::string& path) {
  std::error_code error;
  std::vector<fs::path> leftovers;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(kCheckpointPrefix) && name.ends_with(".tmp") && entry.is_regular_file(error))
      leftovers.push_back(entry.path());
  }
  for (const fs::path& file : leftovers) fs::remove(file, error);
}

}  // namespace

std::string step_file_name(const std::string& prefix, int64_t step, const std::string& extension) {
  return fmt::format("{}-{:08}{}", prefix, step, extension);
}

int RunDirectory::lock(const std::string& path) {
  const std::string name = path + "/" + kLock;
  const int descriptor = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) fail<DataError>("{}: cannot write here: {}; choose another --out", path, std::strerror(errno));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor);
    fail<DataError>("{}: another process is training in this run directory; wait for it or choose another --out", path);
  }
  return descriptor;
}

RunDirectory RunDirectory::create(const std::string& out, const std::string& label) {
  if (!out.empty()) {
    std::error_code error;
    const bool used = fs::exists(out + "/" + kLock, error);
    if (!used) check_empty(out);  // before anything is written into what may be a copy of a run
    make_directory(out);
    RunDirectory run(out, lock(out));
    check_empty(out);
    return run;
  }
  make_directory("runs");
  for (int number = next_number("runs");; ++number) {
    const std::string path = fmt::format("runs/{:05}-{}", number, label);
    if (::mkdir(path.c_str(), 0755) == 0) return {path, lock(path)};
    if (errno != EEXIST)
      fail<DataError>("{}: cannot make this directory: {}; choose another with --out", path, std::strerror(errno));
  }
}

RunDirectory RunDirectory::open(const std::string& path) {
  const std::string directory = path.empty() ? "." : path;  // the folder of "checkpoint-00000001.safetensors"
  RunDirectory run(directory, lock(directory));
  remove_leftovers(directory);
  return run;
}

RunDirectory::~RunDirectory() {
  if (lock_ >= 0) ::close(lock_);
}

std::string RunDirectory::checkpoint_file(int64_t step) const {
  return file(step_file_name(kCheckpointPrefix, step, kCheckpointExtension));
}

void RunDirectory::prune_checkpoints(int64_t keep, int64_t step) const {
  std::error_code error;  // what cannot be removed stays
  for (const std::string& file : list_checkpoints(path_)) {
    if (checkpoint_step(fs::path(file).filename()) > step) continue;
    if (--keep < 0) fs::remove(file, error);
  }
}

std::optional<int64_t> checkpoint_step(const std::string& name) {
  const std::string prefix = std::string(kCheckpointPrefix) + "-", extension = kCheckpointExtension;
  if (name.size() <= prefix.size() + extension.size() || !name.starts_with(prefix) || !name.ends_with(extension)) return {};
  const std::string digits = name.substr(prefix.size(), name.size() - prefix.size() - extension.size());
  if (digits.size() > 18 || !std::all_of(digits.begin(), digits.end(), ::isdigit)) return {};
  return std::stoll(digits);
}

std::vector<std::string> list_checkpoints(const std::string& directory) {
  std::vector<std::pair<int64_t, std::string>> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (const auto step = checkpoint_step(entry.path().filename())) found.emplace_back(*step, entry.path());
  }
  std::sort(found.rbegin(), found.rend());
  std::vector<std::string> files;
  for (auto& [step, path] : found) files.push_back(std::move(path));
  return files;
}

}  // namespace forger
