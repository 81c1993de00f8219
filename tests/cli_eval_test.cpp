// forger eval from the command line.
#include <nlohmann/json.hpp>

#include "datasets/idx.h"
#include "datasets/image_dataset.h"
#include "datasets/mixture.h"
#include "tests/cli_testing.h"
#include "training/npy.h"

TEST_SUITE_BEGIN("command line: eval");

using namespace forger::test;

namespace {

/// The first images of MNIST as a small set of its own.
void put_digits(const std::string& folder, forger::Split split, const std::string& prefix, int64_t count) {
  const forger::ImageDataset set = forger::load_mnist(FORGER_SOURCE_DIR "/datasets/mnist", split);
  const int64_t images[] = {count, 28, 28}, labels[] = {count};
  std::filesystem::create_directories(folder);
  forger::write_idx(folder + "/" + prefix + "-images-idx3-ubyte", images,
                    std::span(set.pixels).first(static_cast<size_t>(count) * 784));
  forger::write_idx(folder + "/" + prefix + "-labels-idx1-ubyte", labels,
                    std::span(set.labels).first(static_cast<size_t>(count)));
}

}  // namespace

TEST_CASE("points: a run and files, as a table and as JSON") {
  Workplace w;
  const int64_t shape[] = {2000, 2};
  forger::write_npy(w / "good.npy", shape, forger::sample(forger::ring8(), 2000, 5));
  const auto outcome = w.run("eval --samples good.npy --distribution ring8 --format json");
  CHECK(outcome.code == 0);
  const auto json = nlohmann::json::parse(outcome.out);
  CHECK(json["modes"] == 8);
  CHECK(json["floor"]["modes"] == 8);
  CHECK(json["high_quality"].get<double>() > 0.97);
  CHECK(json["good"] == true);
  CHECK(json["failures"].empty());
  CHECK(contains(w.run("eval --samples good.npy --distribution ring8").out, "verdict: excellent"));
  const auto other = nlohmann::json::parse(w.run("eval --samples good.npy --distribution grid25 --format json").out);
  CHECK(other["good"] == false);
  CHECK(other["failures"][0] == "dropped modes");
  FORGER_RUN_OK(w, "train pattern1010 --steps 3 --out r");
  CHECK(contains(w.run("eval r").out, "verdict: not good enough yet"));
  CHECK(contains(w.run("eval r --count 50 --format json").out, "\"count\": 50"));
  FORGER_RUN_OK(w, "train normal1d --steps 3 --out n");
  const auto line = nlohmann::json::parse(w.run("eval n --count 1000 --format json").out);
  for (const char* key : {"kl", "w1", "ks", "sigma_ratio"}) CHECK(line.contains(key));
}

TEST_CASE("images: digits of a file and stacked digits, with copies called by name") {
  Workplace w;
  put_digits(w / "data", forger::Split::train, "train", 600);
  put_digits(w / "data", forger::Split::test, "t10k", 200);
  const auto outcome = w.run("eval --samples data/train-images-idx3-ubyte --count 200 --data data --format json");
  REQUIRE(outcome.code == 0);
  const auto json = nlohmann::json::parse(outcome.out);
  for (const char* key : {"fdz", "kid", "precision", "recall", "density", "coverage", "score_ratio", "class_tv"}) {
    CHECK(json[key].is_number());
    CHECK(json["floor"][key].is_number());
  }
  CHECK(json["exact_copies"] == 1);
  CHECK(json["failures"][0] == "copies");
  CHECK(json["class_shares"].size() == 10);
  const int64_t stacks[] = {200, 3, 28, 28};
  const forger::ImageDataset set = forger::load_mnist(FORGER_SOURCE_DIR "/datasets/mnist", forger::Split::train);
  forger::write_idx(w / "stacks.idx", stacks, std::span(set.pixels).first(600 * 784));
  const auto stacked = nlohmann::json::parse(w.run("eval --samples stacks.idx --data data --format json").out);
  CHECK(stacked["modes"].get<int>() > 150);  // 200 stacks of 1,000 modes: 181 are expected
  CHECK(stacked["modes"].get<int>() <= 200);
  FORGER_REFUSES(w, "eval --samples data/train-images-idx3-ubyte --count 50 --data data", "at least 100");
}

TEST_CASE("images: a folder of PNG files gives what the same pixels in IDX give") {
  Workplace w;
  put_digits(w / "data", forger::Split::train, "train", 300);
  put_digits(w / "data", forger::Split::test, "t10k", 100);
  const forger::ImageDataset set = forger::load_mnist(FORGER_SOURCE_DIR "/datasets/mnist", forger::Split::train);
  std::filesystem::create_directories(w / "pictures");
  for (size_t i = 0; i < 120; ++i) put_png(w / fmt::format("pictures/{:03}.png", i), 28, 1, set.pixels.data() + i * 784);
  const std::string common = " --count 120 --data data --format json";
  auto pictures = nlohmann::json::parse(w.run("eval --samples pictures" + common).out);
  auto idx = nlohmann::json::parse(w.run("eval --samples data/train-images-idx3-ubyte" + common).out);
  CHECK(pictures["samples"] == "pictures");
  CHECK(pictures["count"] == 120);
  pictures.erase("samples");
  idx.erase("samples");
  CHECK(pictures == idx);
  FORGER_REFUSES(w, "eval --samples pictures --count 121 --data data", "holds 120 samples");
}

TEST_CASE("a classifier is trained, kept, resumed and used") {
  Workplace w;
  put_digits(w / "data", forger::Split::train, "train", 300);
  put_digits(w / "data", forger::Split::test, "t10k", 100);
  const std::string train = "train mnist-classifier --data data --holdout 100 --batch 10 --threads 1 --log-every 5 ";
  FORGER_RUN_OK(w, train + "--steps 10 --checkpoint-every 5 --out whole");
  FORGER_RUN_OK(w, train + "--steps 10 --checkpoint-every 5 --out half");
  std::filesystem::remove(w / ("half/" + checkpoint_name(10)));
  FORGER_RUN_OK(w, "train --resume half");
  CHECK(w.text("half/" + checkpoint_name(5)) == w.text("whole/" + checkpoint_name(5)));  // trained twice
  CHECK(w.text("half/" + checkpoint_name(10)) == w.text("whole/" + checkpoint_name(10)));
  CHECK(contains(w.text("whole/log.txt"), "accuracy on 100 held-out images"));
  CHECK(contains(w.text("whole/log.txt"), "accuracy on 100 test images"));
  CHECK(contains(w.run("eval whole/classifier.safetensors").out, "share that is classified right"));
  CHECK(
      contains(w.run("eval --samples data/train-images-idx3-ubyte --data data --classifier whole").out, "note: the classifier"));
  FORGER_REFUSES(w, "sample whole", "makes no samples");
}

TEST_CASE("wrong input of eval is refused in one line") {
  Workplace w;
  const int64_t shape[] = {10, 2};
  forger::write_npy(w / "a.npy", shape, std::vector<float>(20, 0.f));
  FORGER_REFUSES(w, "eval", "--samples");
  FORGER_REFUSES(w, "eval nowhere", "nowhere");
  FORGER_REFUSES(w, "eval --samples nowhere.npy", "nowhere.npy");
  FORGER_REFUSES(w, "eval --samples a.npy", "--distribution");
  FORGER_REFUSES(w, "eval --samples a.npy --distribution ring9", "ring9");
  FORGER_REFUSES(w, "eval --samples a.npy --distribution normal1d", "[n, 1]");
  FORGER_REFUSES(w, "eval --samples a.npy --distribution ring8 --count 11", "holds 10 samples");
  FORGER_REFUSES(w, "eval --samples a.npy --distribution ring8 --format xml", "xml");
}
