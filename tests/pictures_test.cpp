#include "training/pictures.h"

#include <doctest/doctest.h>

#include <cmath>

#include "datasets/image_file.h"
#include "datasets/mixture.h"
#include "tests/test_files.h"
#include "training/axes.h"

using namespace forger;
using namespace forger::test;

namespace {

Image picture(const std::string& path) {
  return decode_image(get_file(path), 3, path);
}

std::vector<uint8_t> pixel(const Image& image, int y, int x) {
  const auto first = image.pixels.begin() + 3 * (y * image.width + x);
  return {first, first + 3};
}

/// How many pixels are clearly bluer than red, and the other way round.
std::pair<int, int> blue_and_red(const Image& image) {
  int blue = 0, red = 0;
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    blue += image.pixels[i + 2] > image.pixels[i] + 40;
    red += image.pixels[i] > image.pixels[i + 2] + 40;
  }
  return {blue, red};
}

using Pixel = std::vector<uint8_t>;

}  // namespace

TEST_CASE("grid: every pixel is where it belongs, enlarged, with gaps of two") {
  const TemporaryFolder folder;
  // Three images of 28 x 28 in two columns: black, grey, white; the fourth tile stays empty.
  std::vector<float> pixels(3 * 784);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(i / 784) - 1;
  pixels[0] = NAN;
  pixels[783] = 7;
  write_grid(folder / "g.png", pixels, 3, 28, 28, 1, 2, 2);
  const Image image = picture(folder / "g.png");
  CHECK(image.width == 2 * 84 + 3 * 2);
  CHECK(image.height == 2 * 84 + 3 * 2);
  CHECK(pixel(image, 0, 0) == Pixel{255, 255, 255});    // gap
  CHECK(pixel(image, 2, 2) == Pixel{255, 0, 255});      // not finite
  CHECK(pixel(image, 4, 4) == Pixel{255, 0, 255});      // enlarged three times
  CHECK(pixel(image, 5, 5) == Pixel{0, 0, 0});          // black
  CHECK(pixel(image, 85, 85) == Pixel{255, 255, 255});  // above 1
  CHECK(pixel(image, 82, 85) == Pixel{0, 0, 0});
  CHECK(pixel(image, 40, 86) == Pixel{255, 255, 255});  // gap
  CHECK(pixel(image, 40, 88) == Pixel{128, 128, 128});  // grey
  CHECK(pixel(image, 100, 100) == Pixel{255, 255, 255});
  CHECK(folder.entries() == 1);
}

TEST_CASE("grid: colour, bone and big images") {
  const TemporaryFolder folder;
  const std::vector<float> rgb = {1, -1, 0, -1, 1, 0};
  write_grid(folder / "rgb.png", rgb, 2, 1, 1, 3, 1, 2);
  const Image image = picture(folder / "rgb.png");
  CHECK(image.width == 2 * 84 + 6);
  CHECK(pixel(image, 40, 40) == Pixel{255, 0, 128});
  CHECK(pixel(image, 40, 140) == Pixel{0, 255, 128});
  const std::vector<float> wide(200, 0.0f);
  write_grid(folder / "wide.png", wide, 1, 2, 100, 1, 1, 1, Colormap::bone);
  const Image bone = picture(folder / "wide.png");
  CHECK(bone.width == 104);
  CHECK(pixel(bone, 3, 50) == Pixel{112, 123, 143});  // matplotlib: bone(0.5) = (0.4375, 0.4822, 0.5618)
}

TEST_CASE("pictures: arguments that do not fit and folders that are not there") {
  const TemporaryFolder folder;
  const std::vector<float> v(12);
  CHECK_THROWS_AS(write_grid(folder / "x", v, 1, 2, 2, 1, 1, 1), ShapeError);
  CHECK_THROWS_AS(write_grid(folder / "x", v, 6, 1, 1, 2, 1, 1), ShapeError);
  CHECK_THROWS_AS(write_grid(folder / "x", v, 12, 1, 1, 1, 1, 100'000), ConfigError);
  CHECK_THROWS_AS(write_scatter(folder / "x", v, std::span(v).first(3)), ShapeError);
  CHECK_THROWS_AS(write_histogram(folder / "x", v, v, 0), ConfigError);
  CHECK_THROWS_AS(write_matrix(folder / "x", v, 3, 3), ShapeError);
  const Series uneven[] = {{"a", {1, 2}, {1}}};
  CHECK_THROWS_AS(write_curves(folder / "x", "", uneven), ShapeError);
  CHECK(contains(message_of([&] { write_matrix(folder / "none/x.png", v, 3, 4); }), "cannot create: No such file"));
  CHECK(folder.entries() == 0);
}

TEST_CASE("plots: both colours show, and the same data gives the same bytes") {
  const TemporaryFolder folder;
  const auto real = sample(gaussians4(), 500, 1), fake = sample(gaussians4(), 300, 2);
  write_scatter(folder / "s.png", real, fake);
  const auto [blue, red] = blue_and_red(picture(folder / "s.png"));
  CHECK(blue > 1000);
  CHECK(red > 1000);
  const auto bytes = get_file(folder / "s.png");
  write_scatter(folder / "s.png", real, fake);
  CHECK(get_file(folder / "s.png") == bytes);

  write_histogram(folder / "h.png", sample(normal1d(), 1000, 1), sample(normal1d(), 1000, 2));
  CHECK(blue_and_red(picture(folder / "h.png")).first > 100);
  const Series losses[] = {{"D loss", {0, 1, 2}, {1, 2, 1}}, {"G loss", {0, 1, 2}, {0, NAN, 1}}};
  write_curves(folder / "c.png", "Loss history", losses, ReferenceLine{std::log(4.0), "log 4"});
  CHECK(blue_and_red(picture(folder / "c.png")).first > 500);
}

TEST_CASE("plots: nothing, one value, infinities and outliers are drawn without complaint") {
  const TemporaryFolder folder;
  const std::vector<float> none, one = {3, 3}, wild = {NAN, 1e38f, INFINITY, -1e38f, 0, 0};
  for (const auto& real : {none, one, wild}) {
    for (const auto& fake : {none, one, wild}) {
      write_scatter(folder / "s.png", real, fake);
      write_histogram(folder / "h.png", real, fake);
      const std::vector<float> steps(fake.size(), 1.0f);
      const Series series[] = {{"a", steps, fake}, {"b", std::vector<float>(real.size(), 2.0f), real}};
      write_curves(folder / "c.png", "Title", series);
    }
  }
  write_curves(folder / "c.png", "", {});
  write_matrix(folder / "m.png", wild, 3, 2);
  CHECK(folder.entries() == 4);
}

TEST_CASE("axes: ticks are round numbers and labelled with the digits they need") {
  CHECK(round_ticks({0, 1}, 6).size() == 6);
  CHECK(round_ticks({0, 1}, 6)[1] == doctest::Approx(0.2));
  CHECK(round_ticks({-3.3, 3.3}, 7).size() == 7);
  CHECK(round_ticks({0, 10'000}, 7)[1] == 2000);
  CHECK(tick_label(0.2, 0.2) == "0.2");
  CHECK(tick_label(-1e-17, 0.2) == "0");
  CHECK(tick_label(2000, 1000) == "2000");
  CHECK(tick_label(0.25, 0.05) == "0.25");
  const Range narrow = widened({1.0, 1.0 + 1e-15}, 0.06);
  CHECK(narrow.low == doctest::Approx(0.5));
  CHECK(round_ticks(narrow, 7).size() == 5);
  CHECK(tick_label(2e6, 1e6) == "2e+06");
}
