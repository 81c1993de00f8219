#include "cli/eval_report.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace forger {
namespace {

std::string number(double v) {
  if (!std::isfinite(v)) return "-";
  if (v == std::floor(v) && std::fabs(v) < 1e9) return fmt::format("{:.0f}", v);
  return std::fabs(v) < 10 ? fmt::format("{:.4f}", v) : fmt::format("{:.2f}", v);
}

nlohmann::ordered_json json_number(double v) {
  return std::isfinite(v) ? nlohmann::ordered_json(v) : nlohmann::ordered_json(nullptr);
}

std::string percents(const std::vector<double>& shares) {
  std::string text;
  for (const double s : shares) text += fmt::format("{:6.1f}", 100 * s);
  return text;
}

}  // namespace

std::string to_table(const EvalReport& r) {
  std::string text =
      fmt::format("samples     {} ({})\nreference   {}\nfloor       {}\n\n", r.samples, r.count, r.reference, r.floor);
  text += fmt::format("{:<34}{:>12}{:>12}   {}\n", "metric", "samples", "floor", "good");
  for (const EvalRow& row : r.rows) {
    text += fmt::format("{:<34}{:>12}{:>12}   {}\n", row.label, number(row.value), row.floor ? number(*row.floor) : "", row.note);
  }
  if (!r.class_shares.empty()) {
    text += fmt::format("\nclass         ");
    for (size_t c = 0; c < r.class_shares.size(); ++c) text += fmt::format("{:6}", c);
    text += fmt::format("\n% of samples  {}\n% of real     {}\n", percents(r.class_shares), percents(r.real_class_shares));
  }
  for (const std::string& note : r.notes) text += fmt::format("\nnote: {}\n", note);
  return text + fmt::format("\nverdict: {}\n", r.verdict);
}

std::string to_json(const EvalReport& r) {
  nlohmann::ordered_json json, floor;
  json["samples"] = r.samples;
  json["count"] = r.count;
  json["reference"] = r.reference;
  for (const EvalRow& row : r.rows) {
    json[row.key] = json_number(row.value);
    if (row.floor) floor[row.key] = json_number(*row.floor);
  }
  if (!floor.is_null()) json["floor"] = floor;
  if (!r.class_shares.empty()) {
    json["class_shares"] = r.class_shares;
    json["real_class_shares"] = r.real_class_shares;
  }
  json["failures"] = r.failures;
  json["good"] = r.good;
  json["verdict"] = r.verdict;
  if (!r.notes.empty()) json["notes"] = r.notes;
  return json.dump(2) + "\n";
}

EvalProgress::EvalProgress() : terminal_(isatty(STDERR_FILENO) != 0), start_(std::chrono::steady_clock::now()), last_() {}

EvalProgress::~EvalProgress() {
  if (terminal_) fmt::print(stderr, "\r\033[K");
}

void EvalProgress::stage(const std::string& name, int64_t done, int64_t total) {
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (name == name_ && done != total && now - last_ < std::chrono::milliseconds(100)) return;
  name_ = name;
  last_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  std::string line = fmt::format("\r\033[K{:5.0f} s  {}", seconds, name);
  if (total > 0) {
    const auto width = static_cast<size_t>(30 * done / total);
    line += fmt::format(" [{}{}] {}/{}", std::string(width, '='), std::string(30 - width, ' '), done, total);
  }
  fmt::print(stderr, "{}", line);
  std::fflush(stderr);
}

}  // namespace forger
