// What a run prints: whole lines to the console and log.txt, and on a terminal a progress bar below them.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace forger {

class Console {
 public:
  explicit Console(const std::string& log_path);  // throws DataError if it cannot be written
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
  ~Console();

  /// Prints a line (or several) and appends it to the log.
  void line(const std::string& text);
  /// Redraws the bar, at most ten times a second; nothing on a pipe.
  void progress(int64_t done, int64_t total, double images_per_second, double seconds_left);

 private:
  void clear_bar();

  std::string log_path_;
  std::FILE* log_;
  bool terminal_;
  bool bar_ = false;
  std::chrono::steady_clock::time_point last_bar_{};
};

/// "1h02m", "3m20s", "12s".
std::string format_duration(double seconds);

}  // namespace forger
