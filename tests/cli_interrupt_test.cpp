// Runs that do not end as planned: signals, kills, damaged checkpoints, divergence.
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/cli_testing.h"
#include "training/safetensors.h"

TEST_SUITE_BEGIN("command line: interrupted");

using namespace forger::test;

namespace {

// Long enough that a signal arrives in the middle, on any machine.
const std::string kRun = "train pattern1010 --log-every 500 --sample-every 500000 --checkpoint-every 1000";

/// The checkpoint that an undisturbed run of kRun has after `steps`.
std::string reference_checkpoint(Workplace& w, int64_t steps) {
  const std::string out = "reference" + std::to_string(steps);
  if (!w.has(out)) FORGER_RUN_OK(w, kRun + " --steps " + std::to_string(steps) + " --out " + out);
  return w.text(out + "/" + checkpoint_name(steps));
}

int64_t newest_step(const std::string& run) {
  const Words names = checkpoints_in(run);
  return names.empty() ? 0 : std::stoll(names.back().substr(11, 8));
}

/// The last step that a run's log tells of.
int64_t logged_step(const std::string& run) {
  int64_t step = 0;
  std::istringstream log(get_text(run + "/log.txt"));
  for (std::string line; std::getline(log, line);) {
    if (contains(line, "[D loss:")) step = std::stoll(line);
  }
  return step;
}

void damage(const std::string& file) {
  auto bytes = get_file(file);
  bytes[bytes.size() / 2] ^= 1;
  put_file(file, bytes);
}

}  // namespace

TEST_CASE("Ctrl-C and SIGTERM save, exit with 130, and the run goes on as if nothing had been") {
  for (const int signal : {SIGINT, SIGTERM}) {
    Workplace w;
    Process p = w.start(kRun + " --steps 100000000 --out r");
    REQUIRE(p.wait_for_output("  500 [D loss"));
    p.send(signal);
    const Outcome outcome = p.finish();
    INFO(outcome.out << outcome.err);
    CHECK(outcome.code == 130);
    CHECK(outcome.err == "");
    CHECK(contains(outcome.out, "--resume r"));
    const int64_t step = newest_step(w / "r");
    CHECK(step >= 500);
    CHECK(contains(outcome.out, checkpoint_name(step)));
    const std::string steps = std::to_string(step + 1500);
    FORGER_RUN_OK(w, "train --resume r --steps " + steps);
    CHECK(w.text("r/" + checkpoint_name(step + 1500)) == reference_checkpoint(w, step + 1500));
  }
}

TEST_CASE("Ctrl-C before the first step says so, exits with 130 and leaves nothing") {
  Workplace w;
  put_images(w / "data", 20000);
  bool early = false;
  // The signal is sent as soon as the process would hear it; a slow machine may still come to its first step.
  for (int attempt = 0; attempt < 10 && !early; ++attempt) {
    std::filesystem::remove_all(w / "r");
    Process p = w.start("train dcgan --data data --batch 4 --steps 100000 --threads 1 --out r");
    REQUIRE(p.wait_until([&] { return p.catches(SIGINT); }));
    p.send(SIGINT);
    const Outcome outcome = p.finish();
    INFO(outcome.out << outcome.err);
    CHECK(outcome.code == 130);
    CHECK(outcome.err == "");
    early = outcome.out == "interrupted before the first step: nothing was written\n";
    CHECK((early || contains(outcome.out, "interrupted after step ")));
    CHECK(w.has("r") == !early);
  }
  CHECK(early);
}

TEST_CASE("a run that was killed before its last checkpoint has all its pictures after a resume") {
  Workplace w;
  FORGER_RUN_OK(w, "train pattern1010 --steps 8 --checkpoint-every 4 --out r");
  const std::string losses = w.text("r/losses.png");
  // The checkpoint is the last of these that is written: without it, whatever is missing is made again.
  std::filesystem::remove(w / ("r/" + checkpoint_name(8)));
  for (const char* name : {"losses.png", "outputs.png", "report.html"}) std::filesystem::remove(w / ("r/" + std::string(name)));
  FORGER_RUN_OK(w, "train --resume r");
  CHECK(w.text("r/losses.png") == losses);
  CHECK((w.has("r/outputs.png") && w.has("r/report.html")));
  namespace fs = std::filesystem;
  CHECK(fs::last_write_time(w / "r/losses.png") <= fs::last_write_time(w / ("r/" + checkpoint_name(8))));
}

TEST_CASE("SIGKILL at any moment loses at most the steps since the last checkpoint") {
  Workplace w;
  constexpr int64_t kSteps = 60000;
  const std::string last = reference_checkpoint(w, kSteps);
  std::mt19937 random(1);
  int kills = 0;
  for (int attempt = 0; attempt < 40 && newest_step(w / "r") < kSteps; ++attempt) {
    const bool fresh = !w.has("r/config.json");
    Process p = w.start(fresh ? kRun + " --steps " + std::to_string(kSteps) + " --out r" : "train --resume r");
    if (attempt < 10) {
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 120));
      p.send(SIGKILL);
    }
    const Outcome outcome = p.finish();
    INFO("attempt " << attempt << ": " << outcome.out << outcome.err);
    kills += outcome.signal == SIGKILL;
    CHECK((outcome.signal == SIGKILL || outcome.code == 0));
    CHECK(!contains(outcome.out, "passed over"));  // no checkpoint is ever seen half-written
    if (w.has("r")) CHECK(logged_step(w / "r") <= newest_step(w / "r") + 1000);
  }
  CHECK(kills >= 3);
  CHECK(w.text("r/" + checkpoint_name(kSteps)) == last);
}

TEST_CASE("a run killed before its first checkpoint begins again") {
  Workplace w;
  Process p = w.start("train pattern1010 --steps 100000000 --checkpoint-every 90000000 --log-every 500 --out r");
  REQUIRE(p.wait_for_output("  500 [D loss"));
  p.send(SIGKILL);
  CHECK(p.finish().signal == SIGKILL);
  CHECK(checkpoints_in(w / "r").empty());
  FORGER_REFUSES(w, "train --resume r --steps 1000 --seed 9", "--seed", "expected 0, given 9");
  FORGER_REFUSES(w, "train mlp --resume r", "pattern1010", "mlp");
  const auto outcome = w.run("train --resume r --steps 1000");
  CHECK(outcome.code == 0);
  CHECK(contains(outcome.out, "begins again"));
  FORGER_RUN_OK(w, "train pattern1010 --steps 1000 --checkpoint-every 90000000 --log-every 500 --out whole");
  CHECK(w.text("r/" + checkpoint_name(1000)) == w.text("whole/" + checkpoint_name(1000)));
}

TEST_CASE("files that a killed process left do not disturb") {
  Workplace w;
  FORGER_RUN_OK(w, "train pattern1010 --steps 4 --out r");
  put_text(w / ("r/" + checkpoint_name(9) + ".123.tmp"), "half");
  put_text(w / "r/checkpoint-.safetensors", "no step");
  put_text(w / "r/checkpoint-12x.safetensors", "no step");
  {
    std::ofstream metrics(w / "r/metrics.jsonl", std::ios::app);
    metrics << "{\"step\": 3, \"d_lo";  // torn
  }
  FORGER_RUN_OK(w, "train --resume r --steps 8");
  CHECK(!w.has("r/" + checkpoint_name(9) + ".123.tmp"));
  FORGER_RUN_OK(w, "train pattern1010 --steps 8 --out whole");
  CHECK(w.text("r/" + checkpoint_name(8)) == w.text("whole/" + checkpoint_name(8)));
  std::istringstream metrics(w.text("r/metrics.jsonl"));
  for (std::string line; std::getline(metrics, line);) CHECK(nlohmann::json::accept(line));
}

TEST_CASE("a damaged newest checkpoint is passed over, and never kept in place of a whole one") {
  Workplace w;
  FORGER_RUN_OK(w, "train pattern1010 --steps 12 --checkpoint-every 4 --keep 3 --out r");
  const std::string last = w.text("r/" + checkpoint_name(12));
  damage(w / ("r/" + checkpoint_name(12)));
  put_text(w / ("r/" + checkpoint_name(8)), "");
  const auto outcome = w.run("train --resume r --keep 1");
  INFO(outcome.out << outcome.err);
  CHECK(outcome.code == 0);
  for (const int step : {12, 8}) CHECK(contains(outcome.out, "passed over a damaged checkpoint: r/" + checkpoint_name(step)));
  CHECK(contains(outcome.out, "resumed from r/" + checkpoint_name(4)));
  CHECK(checkpoints_in(w / "r") == Words{checkpoint_name(12)});
  Workplace again;
  FORGER_RUN_OK(again, "train pattern1010 --steps 12 --checkpoint-every 4 --out r");
  damage(again / ("r/" + checkpoint_name(12)));
  FORGER_RUN_OK(again, "train --resume r --keep 1 --steps 10");
  // The damaged one is newer, yet the whole one of step 10 is what --keep 1 keeps.
  CHECK(checkpoints_in(again / "r") == Words{checkpoint_name(10), checkpoint_name(12)});
  FORGER_RUN_OK(again, "train --resume r --steps 12 --keep 3");
  FORGER_RUN_OK(w, "train pattern1010 --steps 12 --checkpoint-every 4 --keep 3 --out whole");
  CHECK(w.text("whole/" + checkpoint_name(12)) == last);
}

TEST_CASE("a run directory in use is refused, and free again when its process ends") {
  Workplace w;
  FORGER_RUN_OK(w, "train pattern1010 --steps 2 --out r");
  {
    Process p = w.start("train --resume r --steps 100000000 --log-every 500 --checkpoint-every 90000000");
    REQUIRE(p.wait_for_output("  500 [D loss"));
    for (const char* line : {"train --resume r --steps 8", "train pattern1010 --out r"}) {
      const auto outcome = w.run(line);
      INFO(outcome.err);
      CHECK(outcome.code == 2);
      CHECK(outcome.is_one_line_with({"r: another process is training in this run directory", "--out"}));
    }
    CHECK(checkpoints_in(w / "r") == Words{checkpoint_name(2)});
  }  // killed
  FORGER_RUN_OK(w, "train --resume r --steps 8");
}

TEST_CASE("a run that diverges exits with 3, names step and node, and saves nothing that is not finite") {
  Workplace w;
  put_images(w / "data", 8);
  for (const char* flags : {"gaussians4 --batch 8 --steps 200 --loss minimax", "mlp --batch 2 --steps 50 --data data",
                            "gaussians4 --batch 8 --steps 3 --loss minimax"}) {
    INFO(flags);
    const auto outcome =
        w.run("train " + std::string(flags) + " --optimizer sgd --g-lr 100 --d-lr 100 --checkpoint-every 1 --keep 999 --out r");
    INFO(outcome.err);
    CHECK(outcome.code == 3);
    CHECK(outcome.is_one_line_with({"step ", "not finite", "came from ", "/", "lower --g-lr and --d-lr"}));
    for (const auto& name : checkpoints_in(w / "r")) {
      const auto samples = w.run("sample r/" + name + " --out x.npy");
      CHECK(samples.code == 0);
    }
    std::filesystem::remove_all(w / "r");
  }
}

TEST_CASE("state that is not finite is not saved, even while the losses are") {
  Workplace w;
  FORGER_RUN_OK(w, "train gaussians4 --batch 8 --steps 2 --out r");
  const std::string file = w / ("r/" + checkpoint_name(2)), name = "G/adam/v/dense_1/bias";
  const auto whole = forger::read_safetensors(file);
  auto tensors = whole.tensors;
  const std::vector<float> infinite(64, std::numeric_limits<float>::infinity());
  for (auto& t : tensors) {
    if (t.name == name) t.bytes = forger::bytes_of(std::span<const float>(infinite));
  }
  auto metadata = whole.metadata;
  metadata.erase("forger.crc32");
  forger::write_safetensors(file, tensors, metadata);
  const auto outcome = w.run("train --resume r --steps 4 --checkpoint-every 1");
  INFO(outcome.err);
  CHECK(outcome.code == 3);
  CHECK(outcome.is_one_line_with({"step 2", "G/adam/", "not finite"}));
  CHECK(checkpoints_in(w / "r") == Words{checkpoint_name(2)});
}

TEST_SUITE_END();
