// Training from the command line: what a run directory holds, and that equal runs are equal bytes.
#include <nlohmann/json.hpp>
#include <regex>

#include "tests/cli_testing.h"

TEST_SUITE_BEGIN("command line: train");

using namespace forger::test;

namespace {

/// What must be equal in equal runs: not the log and the metrics, which hold the speed.
Tree results_of(const std::string& run) {
  Tree tree = tree_of(run);
  for (const char* name : {"log.txt", "metrics.jsonl", ".lock"}) tree.erase(name);
  return tree;
}

/// metrics.jsonl without the speed.
std::vector<nlohmann::json> metrics_of(const std::string& run) {
  std::vector<nlohmann::json> lines;
  std::istringstream in(get_text(run + "/metrics.jsonl"));
  for (std::string line; std::getline(in, line);) {
    lines.push_back(nlohmann::json::parse(line));
    lines.back().erase("images_per_second");
  }
  return lines;
}

/// Trains `half` steps, resumes to twice as many, and compares with all at once.
void check_resume(Workplace& w, const std::string& flags, int64_t half = 6) {
  INFO(flags);
  const std::string common =
      fmt::format("train {} --sample-every {} --log-every 2 --checkpoint-every {} --keep 9", flags, half, half + 2);
  const int64_t all = 2 * half;
  FORGER_RUN_OK(w, fmt::format("{} --steps {} --out whole", common, all));
  FORGER_RUN_OK(w, fmt::format("{} --steps {} --out parts", common, half));
  FORGER_RUN_OK(w, fmt::format("train --resume parts --steps {}", all));
  for (const std::string& name : checkpoints_in(w / "whole")) CHECK(w.text("parts/" + name) == w.text("whole/" + name));
  for (const std::string& name : {std::string("config.json"), std::string("reals.png"), fmt::format("fakes-{:08}.png", half),
                                  fmt::format("fakes-{:08}.png", all)}) {
    CHECK_MESSAGE(w.text("parts/" + name) == w.text("whole/" + name), name);
  }
  std::filesystem::remove_all(w / "whole");
  std::filesystem::remove_all(w / "parts");
}

}  // namespace

TEST_CASE("a run directory holds what it should") {
  Workplace w;
  FORGER_RUN_OK(w, "train pattern1010 --steps 12 --log-every 5 --sample-every 4 --checkpoint-every 3 --keep 2 --out r");
  CHECK(w.tree().size() == 1 + tree_of(w / "r").size());  // nothing beside it
  for (const char* name :
       {"config.json", "log.txt", "metrics.jsonl", "reals.png", "fakes-00000000.png", "fakes-00000004.png", "fakes-00000008.png",
        "fakes-00000012.png", "losses.png", "outputs.png", "report.html", "events.out.tfevents.0000000000.forger"}) {
    CHECK_MESSAGE(w.has("r/" + std::string(name)), name);
  }
  CHECK(checkpoints_in(w / "r") == Words{checkpoint_name(9), checkpoint_name(12)});  // --keep 2
  CHECK(nlohmann::json::parse(w.text("r/config.json"))["steps"] == 12);
  std::istringstream log(w.text("r/log.txt"));
  int lines = 0;
  for (std::string text; std::getline(log, text);) {
    if (!contains(text, "[D loss:")) continue;
    ++lines;
    static const std::regex form(
        R"([ \d]{5} \[D loss: \d+\.\d{3}, acc\.: \d+\.\d{2}%\] \[G loss: \d+\.\d{3}\]  \d+ images/s, .+ left)");
    INFO(text);
    CHECK(std::regex_match(text, form));
  }
  CHECK(lines == 4);                               // 0, 5, 10 and the last, 11
  CHECK(metrics_of(w / "r").size() == 4 + 4 + 3);  // lines, outputs, gradient norms (none before the first step)
}

TEST_CASE("without --out runs are numbered") {
  Workplace w;
  FORGER_RUN_OK(w, "train pattern1010 --steps 1");
  FORGER_RUN_OK(w, "train pattern1010 --steps 1 --seed 7");
  CHECK(w.has("runs/00000-pattern1010-cpu-seed0/" + checkpoint_name(1)));
  CHECK(w.has("runs/00001-pattern1010-cpu-seed7/" + checkpoint_name(1)));
}

TEST_CASE("equal flags and a run's own config give equal bytes, another seed others") {
  Workplace w;
  FORGER_RUN_OK(w, "train gaussians4 --steps 5 --batch 16 --out a");
  FORGER_RUN_OK(w, "train gaussians4 --steps 5 --batch 16 --out b");
  FORGER_RUN_OK(w, "train --config a/config.json --out c");
  FORGER_RUN_OK(w, "train --config a/config.json --out d --seed 1");
  const Tree a = results_of(w / "a");
  CHECK(a == results_of(w / "b"));
  CHECK(a == results_of(w / "c"));
  CHECK(metrics_of(w / "a") == metrics_of(w / "c"));
  const Tree d = results_of(w / "d");
  for (const char* name : {"config.json", "fakes-00000000.png"}) CHECK(a.at(name) != d.at(name));
  CHECK(a.at(checkpoint_name(5)) != d.at(checkpoint_name(5)));
}

TEST_CASE("the working directory leaves no trace in a checkpoint") {
  Workplace w;
  put_images(w / "one/pictures");
  put_images(w / "two/pictures");
  FORGER_RUN_OK(w, "train mlp --steps 1 --batch 2 --data one/pictures --out a");
  FORGER_RUN_OK(w, "train --resume a --steps 2 --data two/pictures");  // moved data, equal contents
  put_images(w / "three", 65);
  FORGER_REFUSES(w, "train --resume a --steps 3 --data three", "other data", "--data");
}

TEST_CASE("6 steps and 6 more are 12 steps: small recipes") {
  Workplace w;
  for (const char* flags :
       {"pattern1010", "pattern1010 --optimizer adam --n-critic 2", "pattern1010 --optimizer rmsprop --loss minimax",
        "normal1d --batch 8", "normal1d --batch 8 --d-update separate --label-noise 0.1 --fakes shared --g-noise same",
        "gaussians4 --batch 8", "gaussians4 --batch 8 --optimizer sgd --momentum 0.5 --loss mse --n-critic 2",
        "gaussians4 --batch 8 --d-update mixed --data-size 0", "ring8 --batch 8",
        "gaussians4 --batch 7 --data-size 10 --optimizer rmsprop --loss minimax"}) {
    check_resume(w, flags);
  }
}

TEST_CASE("6 steps and 6 more are 12 steps: images, fully connected") {
  Workplace w;
  put_images(w / "data");
  check_resume(w, "mlp --batch 2 --data data", 3);
}

TEST_CASE("6 steps and 6 more are 12 steps: DCGAN, fakes predicted") {
  Workplace w;
  put_images(w / "data");
  check_resume(w, "dcgan --batch 2 --data data --grid 1x2 --fakes predict", 2);
}

TEST_CASE("6 steps and 6 more are 12 steps: DCGAN, fakes shared") {
  Workplace w;
  put_images(w / "data");
  check_resume(w, "dcgan --batch 2 --data data --grid 1x2 --fakes shared --optimizer rmsprop", 2);
}

TEST_CASE("a resumed run's metrics and outputs are those of a whole one") {
  Workplace w;
  const std::string flags = "train pattern1010 --sample-every 3 --log-every 2 --checkpoint-every 6";
  FORGER_RUN_OK(w, flags + " --steps 12 --out whole");
  FORGER_RUN_OK(w, flags + " --steps 6 --out parts");
  FORGER_RUN_OK(w, "train --resume parts --steps 12");
  auto parts = metrics_of(w / "parts");
  // The first part logged its last step, 5, too.
  std::erase_if(parts, [](const nlohmann::json& line) { return line["step"] == 5; });
  auto whole = metrics_of(w / "whole");
  CHECK(parts == whole);
  CHECK(w.text("parts/outputs.png") == w.text("whole/outputs.png"));
}

TEST_CASE("a checkpoint inside the working directory, and one that is not the newest, can be resumed") {
  Workplace w;
  FORGER_RUN_OK(w, "train pattern1010 --steps 6 --checkpoint-every 2 --out r");
  const std::string last = w.text("r/" + checkpoint_name(6));
  std::filesystem::remove(w / ("r/" + checkpoint_name(6)));
  FORGER_RUN_OK(w, "train --resume r/" + checkpoint_name(2));
  CHECK(w.text("r/" + checkpoint_name(6)) == last);
  Workplace inside;
  FORGER_RUN_OK(inside, "train pattern1010 --steps 2 --out .");
  FORGER_RUN_OK(inside, "train --resume " + checkpoint_name(2) + " --steps 4");
  CHECK(inside.has(checkpoint_name(4)));
}

TEST_SUITE_END();
