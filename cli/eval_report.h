// What `forger eval` prints: a table for people, JSON for programs, and a bar while it works.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace forger {

/// One figure, with what real samples give beside it.
struct EvalRow {
  std::string key;    // "fdz": the name in JSON
  std::string label;  // in the table
  double value = 0;
  std::optional<double> floor = {};
  std::string note = {};  // what is good
};

struct EvalReport {
  std::string samples;    // what was evaluated
  std::string reference;  // against what
  std::string floor;      // of what the floors are
  int64_t count = 0;
  std::vector<EvalRow> rows = {};
  std::vector<double> class_shares = {}, real_class_shares = {};
  std::vector<std::string> failures = {};  // by name
  bool good = true;
  std::string verdict = {};
  std::vector<std::string> notes = {};  // what the reader must know to believe the figures
};

std::string to_table(const EvalReport& report);
/// Numbers that are not finite become null.
std::string to_json(const EvalReport& report);

/// What goes on, on stderr: redrawn on a terminal, nothing on a pipe.
class EvalProgress {
 public:
  EvalProgress();
  ~EvalProgress();
  EvalProgress(const EvalProgress&) = delete;
  EvalProgress& operator=(const EvalProgress&) = delete;

  void stage(const std::string& name, int64_t done = 0, int64_t total = 0);

 private:
  bool terminal_;
  std::string name_;
  std::chrono::steady_clock::time_point start_, last_;
};

}  // namespace forger
