#include "training/console.h"

#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>

#include "kernels/common/errors.h"

namespace forger {

Console::Console(const std::string& log_path)
    : log_path_(log_path), log_(std::fopen(log_path.c_str(), "a")), terminal_(::isatty(STDOUT_FILENO) != 0) {
  if (!log_) fail<DataError>("{}: cannot write: {}", log_path, std::strerror(errno));
}

Console::~Console() {
  clear_bar();
  std::fclose(log_);
}

void Console::clear_bar() {
  if (bar_) std::fputs("\r\033[K", stdout);
  bar_ = false;
}

void Console::line(const std::string& text) {
  clear_bar();
  std::fprintf(stdout, "%s\n", text.c_str());
  std::fflush(stdout);
  if (std::fprintf(log_, "%s\n", text.c_str()) < 0 || std::fflush(log_) != 0) {
    fail<DataError>("{}: cannot write: {}", log_path_, std::strerror(errno));
  }
}

void Console::progress(int64_t done, int64_t total, double images_per_second, double seconds_left) {
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (bar_ && now - last_bar_ < std::chrono::milliseconds(100)) return;
  last_bar_ = now;
  constexpr int64_t kWidth = 30;
  const auto filled = static_cast<size_t>(kWidth * done / total);
  fmt::print("\r\033[K  [{}{}] {}/{}  {:.0f} images/s, {} left", std::string(filled, '#'), std::string(kWidth - filled, '.'),
             done, total, images_per_second, format_duration(seconds_left));
  std::fflush(stdout);
  bar_ = true;
}

std::string format_duration(double seconds) {
  const auto s = static_cast<int64_t>(std::lround(seconds));
  if (s >= 3600) return fmt::format("{}h{:02}m", s / 3600, s % 3600 / 60);
  if (s >= 60) return fmt::format("{}m{:02}s", s / 60, s % 60);
  return fmt::format("{}s", s);
}

}  // namespace forger
