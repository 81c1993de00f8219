// The directory of one run: its name, its lock, its checkpoints.
//
//   runs/00000-dcgan-cpu-seed0/
//     config.json  log.txt  metrics.jsonl  reals.png  fakes-00000000.png ...  checkpoint-00001000.safetensors
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace forger {

class RunDirectory {
 public:
  /// Makes a new run: `out` itself, or, if it is empty, the next number under `runs/`: runs/00000-<label>.
  /// Throws DataError if the directory holds a run already, is used by another process or cannot be written.
  static RunDirectory create(const std::string& out, const std::string& label);
  /// Opens an existing run to go on with it, and removes unfinished checkpoints. Throws DataError if it is in use.
  static RunDirectory open(const std::string& path);

  RunDirectory(RunDirectory&& other) noexcept : path_(std::move(other.path_)), lock_(other.lock_) { other.lock_ = -1; }
  RunDirectory& operator=(RunDirectory&&) = delete;
  ~RunDirectory();

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string checkpoint_file(int64_t step) const;

  /// Deletes all but `keep` of the checkpoints that are not newer than `step`'s, which was just written. Newer ones
  /// were there before the run was resumed and passed over: they say nothing about what is worth keeping.
  void prune_checkpoints(int64_t keep, int64_t step) const;

 private:
  RunDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  static int lock(const std::string& path);

  std::string path_;
  int lock_;  // file descriptor that holds the lock, for as long as this lives
};

/// "checkpoint-00001000.safetensors" -> 1000; nullopt for other names.
std::optional<int64_t> checkpoint_step(const std::string& file_name);
/// Paths of a directory's checkpoints, newest first.
std::vector<std::string> list_checkpoints(const std::string& directory);
/// "fakes-00000100.png".
std::string step_file_name(const std::string& prefix, int64_t step, const std::string& extension);

}  // namespace forger
