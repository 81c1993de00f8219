// Wrong input of `forger train`: exit 2, one line that names the thing and the remedy, and nothing written.
#include "tests/cli_testing.h"
#include "training/safetensors.h"

TEST_SUITE_BEGIN("command line: wrong input");

using namespace forger;
using namespace forger::test;

TEST_CASE("values of options") {
  Workplace w;
  for (const char* value : {"0", "-5", "65537", "1e30", "nan", "inf", "text", "2.5", "99999999999999999999", "0x10"}) {
    FORGER_REFUSES(w, (Words{"train", "pattern1010", "--batch", value}), "--batch", value);
    FORGER_REFUSES(w, (Words{"train", "pattern1010", "--batch=" + std::string(value)}), "--batch", value);
  }
  for (const char* value : {"-1", "1e30", "nan", "inf", "text", "1e-2x"}) {
    FORGER_REFUSES(w, (Words{"train", "pattern1010", "--g-lr", value}), "--g-lr");
  }
  for (const char* option : {"--batch", "--g-lr", "--loss", "--steps", "--seed", "--out", "--resume"}) {
    FORGER_REFUSES(w, (Words{"train", "pattern1010", option, ""}), option);
    FORGER_REFUSES(w, (Words{"train", "pattern1010", option}), option);
  }
  FORGER_REFUSES(w, "train pattern1010 --loss huber", "--loss", "'huber'", "minimax");
  FORGER_REFUSES(w, "train pattern1010 --providers onednn,foo", "--providers", "'foo'", "reference");
  FORGER_REFUSES(w, "train pattern1010 --image-size 28", "image-size", "pattern1010");
  FORGER_REFUSES(w, "train pattern1010 --batch 2 --batch 3", "--batch");
  FORGER_REFUSES(w, "train", "recipe", "forger list");
  FORGER_REFUSES(w, (Words{"train", "mlp", "--data", "\xff"}), "--data", "UTF-8");
}

TEST_CASE("config files") {
  Workplace w;
  FORGER_REFUSES(w, "train mlp --config none.json", "none.json", "No such file");
  FORGER_REFUSES(w, "train mlp --config .", "folder");
  const auto refuses = [&](const std::string& json, const Words& parts) {
    put_text(w / "c.json", json);
    const Tree before = w.tree();
    const auto outcome = w.run("train mlp --config c.json");
    INFO(json << ": exit " << outcome.code << ", " << outcome.err);
    CHECK(outcome.code == 2);
    CHECK(outcome.is_one_line_with({"c.json"}));
    CHECK(outcome.is_one_line_with(parts));
    CHECK(w.tree() == before);
  };
  refuses("", {"JSON"});
  refuses("{\"batch\": 3", {"JSON"});
  refuses("{\"g-lr\": 1e999}", {"JSON"});
  refuses("[1]", {"JSON object"});
  refuses(std::string(100000, '['), {"JSON"});
  refuses("{\"bacth\": 3}", {"'bacth'", "'batch'"});
  refuses("{\"batch\": \"3\"}", {"'batch'", "\"3\"", "whole number"});
  refuses("{\"batch\": 2.5}", {"'batch'", "2.5", "whole number"});
  refuses("{\"batch\": null}", {"'batch'", "whole number"});
  refuses("{\"g-lr\": true}", {"'g-lr'", "a number"});
  refuses("{\"loss\": 1}", {"'loss'", "text"});
  refuses("{\"batch\": 0}", {"--batch", "range"});
  refuses("{\"batch\": 18446744073709551615}", {"--batch", "range"});
  refuses("{\"loss\": \"huber\"}", {"--loss", "'huber'"});
  refuses("{\"recipe\": \"dcgan\"}", {"dcgan", "mlp"});
  FORGER_REFUSES(w, "train --config c.json --batch x", "--batch");
  put_text(w / "c.json", "{\"recipe\": \"dcgna\"}");
  FORGER_REFUSES(w, "train --config c.json", "c.json", "'dcgna'", "'dcgan'");
  put_text(w / "c.json", "{\"batch\": 1}");
  FORGER_REFUSES(w, "train --config c.json", "c.json", "recipe");
}

TEST_CASE("folders of data") {
  Workplace w;
  FORGER_REFUSES(w, "train mlp --data no-such-folder", "no-such-folder", "--data");
  std::filesystem::create_directory(w / "empty");
  FORGER_REFUSES(w, "train mlp --data empty", "empty", "no images", "--data");
  put_text(w / "file", "");
  FORGER_REFUSES(w, "train mlp --data file", "file", "--data");
  put_images(w / "data");
  FORGER_REFUSES(w, "train mlp --data data --image-size 32", "data", "28 x 28", "32 x 32");
  std::filesystem::remove(w / "data/train-labels-idx1-ubyte");
  FORGER_REFUSES(w, "train mlp --data data", "train-labels-idx1-ubyte");
}

TEST_CASE("damaged IDX files") {
  Workplace w;
  put_images(w / "data");
  const std::string file = "data/train-images-idx3-ubyte";
  const auto good = get_file(w / file);
  const auto refuses = [&](const std::vector<uint8_t>& bytes, const Words& parts) {
    put_file(w / file, bytes);
    const Tree before = w.tree();
    const auto outcome = w.run("train mlp --data data");
    INFO("exit " << outcome.code << ", " << outcome.err);
    CHECK(outcome.code == 2);
    CHECK(outcome.is_one_line_with({"train-images-idx3-ubyte"}));
    CHECK(outcome.is_one_line_with(parts));
    CHECK(w.tree() == before);
  };
  refuses({}, {"empty"});
  refuses({good.begin(), good.begin() + 3}, {"too short"});
  refuses({good.begin(), good.begin() + 10}, {"too short"});
  refuses({good.begin(), good.end() - 1}, {"too short"});
  refuses(idx_bytes({64, 28, 28}, 64 * 28 * 28 + 1), {"too long"});
  refuses(idx_bytes({4294967295u, 28, 28}, 1000), {"claims"});  // 3.4 TB
  refuses(idx_bytes({1000000, 1000, 1000}, 1000), {"claims"});  // 10^12 values
  refuses(idx_bytes({4294967295u, 4294967295u, 4294967295u}, 10), {"claims"});
  refuses(idx_bytes({0, 28, 28}, 0), {"empty"});
  refuses(idx_bytes({63, 28, 28}, 63 * 28 * 28), {"labels"});
  refuses(idx_bytes({64, 28 * 28}, 64 * 28 * 28), {"expected images"});
  auto wrong = good;
  wrong[0] = 0x89;
  refuses(wrong, {"no IDX file"});
  wrong = good;
  wrong[2] = 0x0d;
  refuses(wrong, {"float", "0x08"});
  std::filesystem::remove(w / file);
  auto compressed = gzip(good);
  const std::string gz = w / (file + ".gz");
  put_file(gz, {compressed.data(), compressed.size() / 2});
  FORGER_REFUSES(w, "train mlp --data data", "idx3-ubyte.gz", "too early");
  compressed[compressed.size() - 6] ^= 1;  // its checksum
  put_file(gz, compressed);
  FORGER_REFUSES(w, "train mlp --data data", "idx3-ubyte.gz", "damaged");
}

TEST_CASE("checkpoints that are none") {
  Workplace w;
  FORGER_RUN_OK(w, "train pattern1010 --steps 2 --out r");
  const auto good = get_file(w / ("r/" + checkpoint_name(2)));
  const auto refuses = [&](const std::vector<uint8_t>& bytes, const std::string& part) {
    put_file(w / "x.safetensors", bytes);
    FORGER_REFUSES(w, "train --resume x.safetensors --steps 4", "x.safetensors", part, "another checkpoint");
    FORGER_REFUSES(w, "sample x.safetensors", "x.safetensors", part, "another checkpoint");
  };
  refuses({}, "too short");
  refuses({good.begin(), good.begin() + 7}, "too short");
  refuses({good.begin(), good.begin() + 100}, "");
  refuses({good.begin(), good.end() - 1}, "");
  auto bytes = good;
  bytes[bytes.size() - 3] ^= 4;
  refuses(bytes, "corrupted");
  bytes = good;
  bytes[0] ^= 'P';  // the header's length
  refuses(bytes, "");
  refuses(std::vector<uint8_t>(5000, 0xff), "");
  // Of other programs: without a checksum, and with one but without a config.
  const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  std::vector<uint8_t> foreign = {static_cast<uint8_t>(header.size()), 0, 0, 0, 0, 0, 0, 0};
  foreign.insert(foreign.end(), header.begin(), header.end());
  foreign.insert(foreign.end(), 4, 0);
  refuses(foreign, "");
  const std::vector<float> value{1};
  write_safetensors(w / "y.safetensors", std::vector<StoredTensor>{stored_tensor("a", {1}, value)}, {});
  refuses(get_file(w / "y.safetensors"), "no checkpoint of Forger");
  write_safetensors(w / "y.safetensors", std::vector<StoredTensor>{stored_tensor("a", {1}, value)},
                    {{"forger.config", "{\"recipe\": \"pattern1010\"}"}, {"forger.data_crc32", "0"}});
  refuses(get_file(w / "y.safetensors"), "rng/step");
  write_safetensors(w / "y.safetensors", std::vector<StoredTensor>{stored_tensor("a", {1}, value)},
                    {{"forger.config", "{\"recipe\": \"unknown\"}"}, {"forger.data_crc32", "0"}});
  refuses(get_file(w / "y.safetensors"), "'unknown'");
  const std::vector<int64_t> step{1};
  write_safetensors(w / "y.safetensors", std::vector<StoredTensor>{stored_tensor("rng/step", {}, step)},
                    {{"forger.config", "{\"recipe\": \"gaussians4\"}"}, {"forger.data_crc32", "0"}});
  FORGER_REFUSES(w, "train --resume y.safetensors", "y.safetensors", "other data");
  FORGER_REFUSES(w, "sample y.safetensors", "y.safetensors", "G/dense_1/bias");
  // A directory none of whose checkpoints is whole.
  put_file(w / ("r/" + checkpoint_name(2)), {good.data(), 50});
  FORGER_REFUSES(w, "train --resume r --steps 4", "r: none of its 1 checkpoints is whole");
}

TEST_CASE("what cannot be resumed") {
  Workplace w;
  FORGER_RUN_OK(w, "train pattern1010 --steps 4 --out r");
  std::filesystem::create_directory(w / "empty");
  FORGER_REFUSES(w, "train --resume r", "4 steps", "--steps");
  FORGER_REFUSES(w, "train --resume r --steps 3", "4 steps", "--steps");
  FORGER_REFUSES(w, "train --resume none", "none", "run directory");
  FORGER_REFUSES(w, "train --resume empty", "empty", "no checkpoint", "run directory");
  FORGER_REFUSES(w, "train dcgan --resume r --steps 8", "r/" + checkpoint_name(4), "pattern1010", "dcgan");
  FORGER_REFUSES(w, "train dcgna --resume r --steps 8", "'dcgna'", "'dcgan'");
  FORGER_REFUSES(w, "train --resume r --steps 8 --batch 2 --seed 3 --loss minimax", "--batch: expected 1, given 2",
                 "--seed: expected 0, given 3", "--loss: expected mse, given minimax", "new run");
  FORGER_REFUSES(w, "train --resume r --steps 8 --image-size 3", "image-size", "pattern1010");
  FORGER_REFUSES(w, "train --resume r --steps 8 --out other", "--out");
  FORGER_REFUSES(w, "train --resume r --steps 8 --config r/config.json", "--config");
  FORGER_RUN_OK(w, "train pattern1010 --resume r --steps 8 --batch 1 --keep 1 --log-every 1");  // agrees, or may change
}

TEST_CASE("run directories that cannot be used") {
  Workplace w;
  put_text(w / "file", "");
  FORGER_REFUSES(w, "train pattern1010 --out file", "file", "--out");
  FORGER_REFUSES(w, "train pattern1010 --out file/below", "file/below", "--out");
  FORGER_REFUSES(w, "train pattern1010 --out /proc/forger", "/proc/forger", "--out");
  FORGER_RUN_OK(w, "train pattern1010 --steps 1 --out r");
  FORGER_REFUSES(w, "train pattern1010 --steps 1 --out r", "r: holds a run", "--resume r", "--out");
  std::filesystem::remove(w / "r/.lock");  // as in a copy
  FORGER_REFUSES(w, "train pattern1010 --steps 1 --out r", "r: holds a run", "--resume r", "--out");
  std::filesystem::remove(w / "r/config.json");
  FORGER_REFUSES(w, "train pattern1010 --steps 1 --out r", "r: holds a run", "--resume r", "--out");
  put_text(w / "runs", "");
  FORGER_REFUSES(w, "train pattern1010 --steps 1", "runs", "--out");
}

TEST_CASE("grids, shapes and memory are found out before anything is written") {
  Workplace w;
  put_images(w / "data", 4);
  for (const char* grid : {"0x4", "4", "foo", "4x8x"})
    FORGER_REFUSES(w, "train mlp --data data --grid " + std::string(grid), "--grid", grid);
  FORGER_REFUSES(w, (Words{"train", "mlp", "--data", "data", "--grid", ""}), "--grid");
  put_picture(w / "picture/a.png", 20, 1, 1);
  FORGER_REFUSES(w, "train dcgan --data picture --image-size 512 --grid 99x99", "--grid", "pixels");
  FORGER_REFUSES(w, "train dcgan --data picture --image-size 30", "image-size");
  // Tens of terabytes, more than any machine has.
  FORGER_REFUSES(w, "train dcgan --data picture --image-size 512 --batch 65536", "memory", "GiB", "--batch");
}

TEST_SUITE_END();
