// Samples from the command line, and training on other sets of images.
#include "tests/cli_testing.h"

TEST_SUITE_BEGIN("command line: sample");

using namespace forger::test;

namespace {

uint32_t big_endian(const std::string& bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes.at(at + i));
  return value;
}

/// Width and height of a PNG.
std::pair<uint32_t, uint32_t> png_size(const std::string& bytes) {
  REQUIRE(bytes.starts_with("\x89PNG\r\n\x1a\n"));
  return {big_endian(bytes, 16), big_endian(bytes, 20)};
}

/// Pictures that differ, some in a folder below.
void put_pictures(const std::string& folder, int count, int side, int channels) {
  for (int i = 0; i < count; ++i)
    put_picture(folder + (i % 2 ? "/inner/" : "/") + std::to_string(i) + ".png", side, channels, i + 1);
}

}  // namespace

TEST_CASE("points: .npy and .idx have the right shape, a seed gives the same bytes") {
  Workplace w;
  FORGER_RUN_OK(w, "train gaussians4 --batch 8 --steps 2 --out r");
  FORGER_RUN_OK(w, "sample r --count 10 --out a.npy");
  FORGER_RUN_OK(w, "sample r/" + checkpoint_name(2) + " --count 10 --out b.npy --seed 0");
  FORGER_RUN_OK(w, "sample r --count 10 --out c.npy --seed 1");
  FORGER_RUN_OK(w, "sample r --count 1500 --out d.npy");
  const std::string a = w.text("a.npy");
  CHECK(a.starts_with("\x93NUMPY"));
  CHECK(contains(a, "'descr': '<f4'"));
  CHECK(contains(a, "'shape': (10, 2, )"));
  CHECK(a.size() == 128 + 10 * 2 * 4);
  CHECK(a == w.text("b.npy"));
  CHECK(a != w.text("c.npy"));
  CHECK(w.text("d.npy").substr(128, 80) == a.substr(128));  // more samples begin with the same ones
  FORGER_RUN_OK(w, "sample r --count 10 --out a.idx");
  const std::string idx = w.text("a.idx");
  CHECK(idx.substr(0, 4) == std::string("\0\0\x0d\x02", 4));
  CHECK(big_endian(idx, 4) == 10);
  CHECK(big_endian(idx, 8) == 2);
  CHECK(idx.size() == 12 + 10 * 2 * 4);
  FORGER_RUN_OK(w, "sample r");
  png_size(w.text("samples.png"));
}

TEST_CASE("images: pictures, arrays and bytes of the right size") {
  Workplace w;
  put_images(w / "data");
  FORGER_RUN_OK(w, "train dcgan --batch 2 --steps 2 --data data --grid 1x2 --out r");
  FORGER_RUN_OK(w, "sample r --count 6 --grid 2x3 --out a.png");
  FORGER_RUN_OK(w, "sample r --count 6 --grid 2x3 --out b.png");
  FORGER_RUN_OK(w, "sample r --count 6 --grid 2x3 --out c.png --seed 5");
  CHECK(png_size(w.text("a.png")) == std::pair<uint32_t, uint32_t>(3 * 86 + 2, 2 * 86 + 2));
  CHECK(w.text("a.png") == w.text("b.png"));
  CHECK(w.text("a.png") != w.text("c.png"));
  FORGER_RUN_OK(w, "sample r --out d.png");  // 32 in 4 rows of 8
  CHECK(png_size(w.text("d.png")) == std::pair<uint32_t, uint32_t>(8 * 86 + 2, 4 * 86 + 2));
  FORGER_RUN_OK(w, "sample r --count 5 --out a.npy");
  CHECK(contains(w.text("a.npy"), "'shape': (5, 28, 28, 1, )"));
  CHECK(w.text("a.npy").size() == 128 + 5 * 784 * 4);
  FORGER_RUN_OK(w, "sample r --count 5 --out a.idx");
  const std::string idx = w.text("a.idx");
  CHECK(idx.substr(0, 4) == std::string("\0\0\x08\x03", 4));
  CHECK(big_endian(idx, 4) == 5);
  CHECK(big_endian(idx, 8) == 28);
  CHECK(big_endian(idx, 12) == 28);
  CHECK(idx.size() == 16 + 5 * 784);
  FORGER_REFUSES(w, "sample r --grid 1x1 --count 2", "--grid", "--count");
  FORGER_REFUSES(w, "sample r --count 100000", "--count", "pixels");
  for (const char* grid : {"0x4", "4", "4x", "x4", "4x8x", "-1x4", "foo", "1000x1000"}) {
    FORGER_REFUSES(w, "sample r --grid " + std::string(grid), "--grid", grid, "4x8");
  }
  FORGER_REFUSES(w, "sample r --grid 4x8 --out x.npy", "--grid", "x.npy");
}

TEST_CASE("classes: one per column, or the one that is asked for") {
  Workplace w;
  FORGER_RUN_OK(w, "train ring8 --conditional concat --ema 0.9 --batch 8 --steps 2 --out r");
  FORGER_RUN_OK(w, "sample r --count 8 --out all.npy");
  FORGER_RUN_OK(w, "sample r --count 8 --class 3 --out three.npy");
  const std::string all = w.text("all.npy").substr(128), three = w.text("three.npy").substr(128);
  for (size_t i = 0; i < 8; ++i) CHECK((all.substr(i * 8, 8) == three.substr(i * 8, 8)) == (i == 3));
  FORGER_REFUSES(w, "sample r --class 8", "--class", "0 to 7");
  FORGER_RUN_OK(w, "train ring8 --batch 8 --steps 2 --out plain");
  FORGER_REFUSES(w, "sample plain --class 3", "--class", "without classes");
  FORGER_REFUSES(w,
                 "train dcgan --loss wgan --label-noise 0 --weight-clip 0.01 --gradient-penalty r1 --d-update sum --d-norm none",
                 "--weight-clip");
}

TEST_CASE("bad arguments of sample") {
  Workplace w;
  FORGER_RUN_OK(w, "train pattern1010 --steps 2 --out r");
  put_text(w / "file", "");
  for (const char* count : {"0", "-3", "nan", "1e30", "many", "1000001"})
    FORGER_REFUSES(w, "sample r --count " + std::string(count), "--count", count);
  for (const char* seed : {"-1", "nan", "1e30", "99999999999999999999"})
    FORGER_REFUSES(w, "sample r --seed " + std::string(seed), "--seed", seed);
  for (const char* out : {"x.gif", "x", "png", "x.png.txt"})
    FORGER_REFUSES(w, "sample r --out " + std::string(out), "--out", out, ".png, .npy, .idx");
  for (const char* out : {"file/x.png", "none/x.npy", "/proc/forger-x.idx"})
    FORGER_REFUSES(w, "sample r --out " + std::string(out), out, "cannot create");
  std::filesystem::create_directory(w / "folder.png");
  FORGER_REFUSES(w, "sample r --out folder.png", "folder.png", "folder");
  FORGER_REFUSES(w, "sample nowhere", "nowhere", "run directory");
  FORGER_REFUSES(w, "sample file", "file", "too short");
  FORGER_REFUSES(w, "sample r --grid 2x2", "--grid", "pattern1010");
}

TEST_CASE("pictures in folders train, grey and in colour") {
  Workplace w;
  put_pictures(w / "grey", 5, 40, 1);
  put_pictures(w / "colour", 5, 33, 3);
  FORGER_RUN_OK(w, "train dcgan --batch 2 --steps 2 --grid 1x2 --data grey --image-size 16 --out g");
  FORGER_RUN_OK(w, "train dcgan --batch 2 --steps 2 --grid 1x2 --data colour --image-size 16 --channels 3 --out c");
  FORGER_RUN_OK(w, "sample c --count 2 --out c.npy");
  CHECK(contains(w.text("c.npy"), "'shape': (2, 16, 16, 3, )"));
  FORGER_RUN_OK(w, "sample g --count 2 --out g.npy");
  CHECK(contains(w.text("g.npy"), "'shape': (2, 16, 16, 1, )"));
  put_text(w / "colour/zz.png", "no picture");
  FORGER_REFUSES(w, "train dcgan --data colour --channels 3", "colour/zz.png");
  FORGER_REFUSES(w, "train dcgan --data grey --channels 2", "channels");
  FORGER_REFUSES(w, "train dcgan --data grey --image-size 30", "image-size");
}

TEST_CASE("Fashion-MNIST trains") {
  const std::string folder = "/usr/share/datasets/fashion-mnist";
  if (!std::filesystem::exists(folder)) {
    MESSAGE("skipped: there is no " << folder << " (Debian's dataset-fashion-mnist)");
    return;
  }
  Workplace w;
  FORGER_RUN_OK(w, "train mlp --batch 2 --steps 2 --out r --data " + folder);
  CHECK(contains(w.text("r/log.txt"), "60000 images of 28x28x1"));
}

TEST_SUITE_END();
