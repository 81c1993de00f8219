// metrics.jsonl: one JSON object per line, appended as the run goes on.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace forger {

class MetricsFile {
 public:
  /// Opens for appending. Lines of steps from `first_step` on are dropped: a resumed run makes them again.
  /// Throws DataError if the file cannot be written.
  MetricsFile(const std::string& path, int64_t first_step);
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;
  ~MetricsFile();

  /// Appends {"step": .., name: value, ...} and flushes. Throws DataError when the disk is full.
  void append(int64_t step, const std::vector<std::pair<std::string, double>>& values);
  void append(int64_t step, const std::string& name, const std::vector<double>& values);
  /// {"step": .., "verdict": the worst, "message": .., "all": every trouble by name}; "healthy" when all are over.
  void append_verdict(int64_t step, const std::string& verdict, const std::string& message, const std::vector<std::string>& all);

  /// (step, list) of every recorded list of that name.
  static std::vector<std::pair<int64_t, std::vector<double>>> read_lists(const std::string& path, const std::string& name);
  /// (step, value) of every recorded number of that name.
  static std::vector<std::pair<double, double>> read_numbers(const std::string& path, const std::string& name);

 private:
  void write(const std::string& line);

  std::string path_;
  std::FILE* file_;
};

}  // namespace forger
