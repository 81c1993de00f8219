// What watches a run, through the real binary: verdicts, the report, TensorBoard's events.
#include <cstring>
#include <nlohmann/json.hpp>

#include "tests/cli_testing.h"
#include "training/event_file.h"
#include "training/safetensors.h"

TEST_SUITE_BEGIN("command line: watching");

using namespace forger::test;

namespace {

std::vector<nlohmann::json> verdicts_of(const std::string& metrics) {
  std::vector<nlohmann::json> found;
  std::istringstream in(metrics);
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line);
    if (json.contains("verdict")) found.push_back(json);
  }
  return found;
}

/// The JSON inside a report.
nlohmann::json data_of(const std::string& report) {
  const std::string begin = "<script id=\"data\" type=\"application/json\">";
  const size_t from = report.find(begin) + begin.size();
  return nlohmann::json::parse(report.substr(from, report.find("</script>", from) - from));
}

const std::string kFast = " --batch 16 --threads 1 --log-every 25 --sample-every 100 --checkpoint-every 1000 ";

}  // namespace

TEST_CASE("a run ends with its verdict: healthy") {
  Workplace w;
  FORGER_RUN_OK(w, "train gaussians4 --steps 700 --out r" + kFast);
  CHECK(contains(w.text("r/log.txt"), "verdict: healthy\n"));
  CHECK(verdicts_of(w.text("r/metrics.jsonl")).empty());
}

TEST_CASE("a collapsed run says so, goes on, and stops when it is told to") {
  Workplace w;
  const std::string flags = "train gaussians4 --steps 900 --g-lr 1" + kFast;  // G runs off to one point
  FORGER_RUN_OK(w, flags + "--out on");
  const auto verdicts = verdicts_of(w.text("on/metrics.jsonl"));
  REQUIRE(!verdicts.empty());
  CHECK(verdicts[0]["step"] == 600);
  CHECK(contains(verdicts[0]["all"].dump(), "collapse"));
  CHECK(contains(w.text("on/log.txt"), "warning: collapse: "));
  CHECK(contains(w.text("on/log.txt"), "verdict: collapse: "));
  CHECK(contains(data_of(w.text("on/report.html"))["verdicts"].dump(), "collapse"));

  const auto stopped = w.run(flags + "--on-collapse stop --out off");
  INFO(stopped.err);
  CHECK(stopped.code == 3);
  CHECK(stopped.is_one_line_with({"step 600", "collapse", "limit 50 %", checkpoint_name(600), "--on-collapse continue"}));
  CHECK(checkpoints_in(w / "off") == Words{checkpoint_name(600)});
  CHECK(data_of(w.text("off/report.html"))["step"] == 600);
  CHECK(w.text("off/fakes-00000600.png") == w.text("on/fakes-00000600.png"));
  FORGER_RUN_OK(w, "train --resume off --on-collapse continue");
  CHECK(w.text("off/" + checkpoint_name(900)) == w.text("on/" + checkpoint_name(900)));
  CHECK(verdicts_of(w.text("off/metrics.jsonl")) == verdicts_of(w.text("on/metrics.jsonl")));
  CHECK(w.text("off/" + std::string(forger::kEventFileName)) == w.text("on/" + std::string(forger::kEventFileName)));
}

TEST_CASE("a D that wins is told") {
  Workplace w;
  FORGER_RUN_OK(w, "train grid25 --steps 700 --g-lr 0 --out r" + kFast);  // G does not learn
  CHECK(contains(w.text("r/log.txt"), "warning: d-won: "));
}

TEST_CASE("a run that diverges leaves a report with that verdict") {
  Workplace w;
  const auto outcome = w.run("train gaussians4 --steps 900 --optimizer sgd --d-lr 90 --g-lr 90 --out r" + kFast);
  INFO(outcome.out << outcome.err);
  CHECK(outcome.code == 3);
  CHECK(contains(w.text("r/log.txt"), "verdict: diverged: "));
  CHECK(verdicts_of(w.text("r/metrics.jsonl")).back()["verdict"] == "diverged");
  CHECK(data_of(w.text("r/report.html"))["verdicts"].back()["verdict"] == "diverged");
}

TEST_CASE("losses that go round in circles are told") {
  Workplace w;
  FORGER_RUN_OK(w,
                "train pattern1010 --batch 64 --loss non-saturating --momentum 0.9 --g-lr 0.05 --d-lr 0.05 --steps 1600 "
                "--log-every 10 --sample-every 1000 --threads 1 --out r");
  CHECK(contains(w.text("r/log.txt"), "warning: oscillation: D's loss goes up and down every "));
  const auto verdicts = verdicts_of(w.text("r/metrics.jsonl"));
  REQUIRE(!verdicts.empty());
  CHECK(contains(nlohmann::json(verdicts).dump(), "oscillation"));
}

TEST_CASE("a generator that makes training images is told") {
  Workplace w;
  put_images(w / "data");
  const std::string flags = " --data data --batch 2 --threads 1 --grid 4x4 ";
  FORGER_RUN_OK(w, "train mlp --steps 1 --out a" + flags);
  FORGER_RUN_OK(w, "export a --format safetensors --out a.safetensors");
  const auto file = forger::read_safetensors(w / "a.safetensors");
  auto tensors = file.tensors;
  // Whatever the noise: the first image, through tanh.
  const auto images = get_file(w / "data/train-images-idx3-ubyte");
  std::vector<float> bias, kernel(784 * 1024, 0.f);
  for (size_t i = 0; i < 784; ++i) bias.push_back(std::atanh(0.999f * (static_cast<float>(images[16 + i]) / 127.5f - 1)));
  for (auto& t : tensors) {
    if (t.name == "G.dense_4.bias") t = forger::stored_tensor(t.name, {784}, bias);
    if (t.name == "G.dense_4.weight") t = forger::stored_tensor(t.name, {784, 1024}, kernel);
  }
  forger::write_safetensors(w / "copy.safetensors", tensors, {});
  FORGER_RUN_OK(w, "import copy.safetensors --recipe mlp --g-lr 0 --out b" + flags);
  FORGER_RUN_OK(w, "train --resume b --steps 1");
  CHECK(contains(w.text("b/log.txt"), "verdict: memorisation: 100 % of the samples copy training images"));
  CHECK(verdicts_of(w.text("b/metrics.jsonl")).back()["verdict"] == "memorisation");
  CHECK(data_of(w.text("b/report.html"))["verdicts"].back()["verdict"] == "memorisation");
}

TEST_CASE("evaluations while a run goes on: recorded, judged, the same after a resume") {
  Workplace w;
  const std::string flags =
      "train gaussians4 --g-lr 1 --eval-every 300 --sample-every 100000 --batch 16 --threads 1 --log-every 25 ";  // G runs off to
                                                                                                                  // one point
  FORGER_RUN_OK(w, flags + "--steps 900 --out whole");
  const auto verdicts = verdicts_of(w.text("whole/metrics.jsonl"));
  REQUIRE(!verdicts.empty());
  CHECK(verdicts[0]["step"] == 900);
  CHECK(contains(verdicts[0]["message"].get<std::string>(), "evaluated samples cover "));
  const auto data = data_of(w.text("whole/report.html"));
  CHECK(data["series"]["eval/modes"].size() == 3);
  for (const auto& point : data["series"]["eval/covered"]) CHECK(point[1].get<double>() < 0.5);
  CHECK(contains(w.text("whole/log.txt"), "  300 evaluation: modes "));
  CHECK(contains(w.text("whole/" + std::string(forger::kEventFileName)), "eval/modes"));

  FORGER_RUN_OK(w, flags + "--steps 600 --out parts");
  FORGER_RUN_OK(w, "train --resume parts --steps 900");
  CHECK(verdicts_of(w.text("parts/metrics.jsonl")) == verdicts);
  CHECK(w.text("parts/" + checkpoint_name(900)) == w.text("whole/" + checkpoint_name(900)));
  CHECK(data_of(w.text("parts/report.html"))["series"]["eval/modes"] == data["series"]["eval/modes"]);

  put_images(w / "data");
  for (const char* end : {"images-idx3-ubyte", "labels-idx1-ubyte"})
    std::filesystem::copy(w / ("data/train-" + std::string(end)), w / ("data/t10k-" + std::string(end)));
  FORGER_REFUSES(w, "train mlp --data data --eval-every 10 --out m", "--eval-every", "leave it out");
  CHECK(!w.has("m"));
}

TEST_CASE("what a step changes, and D on images that it does not learn from") {
  Workplace w;
  put_images(w / "data");
  FORGER_RUN_OK(w,
                "train mlp --data data --holdout 32 --batch 4 --optimizer sgd --momentum 0 --g-lr 0 --d-lr 0.01 --steps 4 "
                "--log-every 2 --sample-every 2 --grid 2x2 --threads 1 --out r");
  const auto series = data_of(w.text("r/report.html"))["series"];
  REQUIRE(series["d_update"].size() == 2);  // not of the last line, which is an extra
  for (const auto& point : series["g_update"]) CHECK(point[1] == 0.0);
  for (const auto& point : series["d_update"]) {
    CHECK(point[1].get<double>() > 1e-7);
    CHECK(point[1].get<double>() < 0.1);
  }
  CHECK(series["d_train"].size() == 3);
  CHECK(series["d_holdout"].size() == 3);
  CHECK(series["d_train"][2][1] != series["d_holdout"][2][1]);
  FORGER_RUN_OK(w, "train mlp --data data --batch 4 --steps 1 --grid 2x2 --threads 1 --out none");
  CHECK_FALSE(data_of(w.text("none/report.html"))["series"].contains("d_holdout"));
}

TEST_CASE("the report holds the run, in one file without a network") {
  Workplace w;
  FORGER_RUN_OK(w, "train ring8 --steps 300 --out r" + kFast);
  const std::string report = w.text("r/report.html");
  for (const char* outside : {"http:", "https:", "<link", "src=\"/", "@import"}) {
    std::string rest = report;
    // The namespace of SVG is a name, no address that is loaded.
    for (size_t at = 0; (at = rest.find("http://www.w3.org/2000/svg")) != std::string::npos;) rest.erase(at, 26);
    CHECK_MESSAGE(!contains(rest, outside), outside);
  }
  const auto data = data_of(report);
  CHECK(data["step"] == 300);
  CHECK(data["pictures"].size() == 4);
  CHECK(data["config"]["recipe"] == "ring8");
  CHECK(data["equilibrium"]["d_label"] == "log 4");
  CHECK(data["distribution"]["d"].size() == 48 * 48);
  CHECK(data["distribution"]["real"].size() == 500);
  for (const char* name : {"d_loss", "g_loss", "d_real", "d_fake", "d_accuracy", "diversity", "coverage", "g_gradient"}) {
    CHECK_MESSAGE(data["series"][name].size() > 1, name);
  }
  CHECK_FALSE(data["series"].contains("images_per_second"));
  const std::string uri = data["pictures"][0]["uri"];
  CHECK(uri.starts_with("data:image/png;base64,iVBORw0KGgo"));  // the signature of PNG
}

TEST_CASE("stacked digits are looked at to the end of the run, digit by digit") {
  Workplace w;
  put_images(w / "data");
  FORGER_RUN_OK(w, "train stacked-mnist --steps 1 --batch 2 --data data --grid 1x2 --threads 1 --out r");
  CHECK(contains(w.text("r/log.txt"), "\nverdict: "));
}

TEST_CASE("text of the user's cannot end the report's script") {
  Workplace w;
  put_images(w / "</script><b>");
  const auto outcome = w.run(Words{"train", "mlp", "--steps", "1", "--batch", "2", "--data", "</script><b>", "--out", "r"});
  REQUIRE(outcome.code == 0);
  CHECK_FALSE(contains(w.text("r/report.html"), "</script><b>"));
  CHECK(data_of(w.text("r/report.html"))["config"]["data"] == "</script><b>");
}

TEST_CASE("CRC-32C of RFC 3720") {
  CHECK(forger::crc32c("123456789", 9) == 0xe3069283u);
  CHECK(forger::crc32c(std::string(32, '\0').data(), 32) == 0x8a9136aau);
  CHECK(forger::crc32c("", 0) == 0);
}

TEST_CASE("events: dropped from a step on, and what a crash cut off") {
  TemporaryFolder folder;
  const std::string path = folder / "events";
  {
    forger::EventFile events(path, 0);
    for (int64_t step : {0, 100, 200, 300}) events.add_scalars(step, {{"d_loss", 0.5}, {"nothing", NAN}});
  }
  const std::string all = get_text(path);
  { forger::EventFile events(path, 1000); }
  CHECK(get_text(path) == all);
  put_text(path, all.substr(0, all.size() - 3));  // a crash within the last record
  { forger::EventFile events(path, 1000); }
  const std::string three = get_text(path);
  CHECK(three.size() < all.size());
  CHECK(all.starts_with(three));
  {
    forger::EventFile events(path, 200);
    events.add_scalars(200, {{"d_loss", 0.5}});
    events.add_scalars(300, {{"d_loss", 0.5}});
  }
  CHECK(get_text(path) == all);
  forger::EventFile events(path, 0);
  CHECK(message_of([&] { events.add_image(0, "samples", "GIF89a"); }) == path + ": 'samples' is no PNG");
}

TEST_SUITE_END();
