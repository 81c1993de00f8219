#include "datasets/image_dataset.h"

#include <doctest/doctest.h>
#include <stb/stb_image_write.h>

#include <algorithm>
#include <numeric>

#include "datasets/idx.h"
#include "datasets/image_file.h"
#include "tests/test_files.h"

using namespace forger;
using namespace forger::test;

namespace {

void append(void* to, void* data, int size) {
  const auto* bytes = static_cast<uint8_t*>(data);
  static_cast<std::vector<uint8_t>*>(to)->insert(static_cast<std::vector<uint8_t>*>(to)->end(), bytes, bytes + size);
}

std::vector<uint8_t> png(const Image& image) {
  std::vector<uint8_t> bytes;
  stbi_write_png_to_func(append, &bytes, image.width, image.height, image.channels, image.pixels.data(), 0);
  return bytes;
}

std::vector<uint8_t> jpeg(const Image& image) {
  std::vector<uint8_t> bytes;
  stbi_write_jpg_to_func(append, &bytes, image.width, image.height, image.channels, image.pixels.data(), 95);
  return bytes;
}

Image filled(int height, int width, int channels, uint8_t value) {
  return {height, width, channels, std::vector<uint8_t>(static_cast<size_t>(height * width * channels), value)};
}

void put_set(const TemporaryFolder& folder, const std::string& prefix, int64_t images, int64_t labels) {
  const std::vector<uint8_t> pixels(static_cast<size_t>(images * 6), 9), classes(static_cast<size_t>(labels), 1);
  const std::vector<int64_t> image_dims = {images, 2, 3}, label_dims = {labels};
  write_idx(folder / (prefix + "-images-idx3-ubyte"), image_dims, std::span<const uint8_t>(pixels));
  write_idx(folder / (prefix + "-labels-idx1-ubyte"), label_dims, std::span<const uint8_t>(classes));
}

}  // namespace

TEST_CASE("mnist: both splits, their sizes and what is in them") {
  const std::string folder = FORGER_SOURCE_DIR "/datasets/mnist/";
  const ImageDataset train = load_mnist(folder, Split::train), test = load_images(folder, Split::test, 28, 28, 1);
  CHECK(train.name == "mnist");
  CHECK(train.count == 60'000);
  CHECK((train.height == 28 && train.width == 28 && train.channels == 1));
  CHECK(train.pixels.size() == 60'000 * 784);
  CHECK(test.count == 10'000);
  CHECK(std::vector<uint8_t>(train.labels.begin(), train.labels.begin() + 5) == std::vector<uint8_t>{5, 0, 4, 1, 9});
  CHECK(*std::max_element(train.labels.begin(), train.labels.end()) == 9);
  // MNIST's mean pixel, as everybody normalises it: 0.1307.
  const auto sum = std::accumulate(train.pixels.begin(), train.pixels.end(), int64_t{0});
  CHECK(static_cast<double>(sum) / 255 / static_cast<double>(train.pixels.size()) == doctest::Approx(0.1307).epsilon(1e-3));
}

TEST_CASE("mnist: plain, gzip and dotted names, counts must agree") {
  const TemporaryFolder folder;
  put_set(folder, "train", 4, 4);
  CHECK(load_mnist(folder.path(), Split::train).count == 4);
  CHECK(contains(message_of([&] { load_mnist(folder.path(), Split::test); }), "has no file t10k-images-idx3-ubyte"));
  put_set(folder, "t10k", 3, 4);
  CHECK(contains(message_of([&] { load_mnist(folder.path(), Split::test); }), "4 labels, expected 3, one for each image"));
  CHECK(contains(message_of([&] { load_images(folder.path(), Split::train, 28, 28, 1); }),
                 "images of 2 x 3 x 1, expected 28 x 28 x 1"));

  std::filesystem::rename(folder / "train-labels-idx1-ubyte", folder / "train-labels.idx1-ubyte");
  put_file(folder / "train-images.idx3-ubyte.gz", gzip(get_file(folder / "train-images-idx3-ubyte")));
  std::filesystem::remove(folder / "train-images-idx3-ubyte");
  CHECK(load_mnist(folder.path(), Split::train).pixels == std::vector<uint8_t>(24, 9));

  std::filesystem::copy(folder / "train-labels.idx1-ubyte", folder / "train-images-idx3-ubyte");
  CHECK(contains(message_of([&] { load_mnist(folder.path(), Split::train); }), "has shape [4], expected images"));
}

TEST_CASE("image: crops around the centre, shrinks by averages, grows linearly") {
  // 4 x 2, upper half 0 and lower half 200, with a border above and below that the crop must drop.
  Image image = filled(4, 2, 1, 255);
  image.pixels = {77, 77, 10, 30, 50, 70, 77, 77};
  CHECK(crop_and_resize(image, 2, 2).pixels == std::vector<uint8_t>{10, 30, 50, 70});
  CHECK(crop_and_resize(image, 1, 1).pixels == std::vector<uint8_t>{40});
  const Image wide = {1, 4, 3, {1, 1, 1, 10, 20, 30, 20, 30, 40, 2, 2, 2}};
  CHECK(crop_and_resize(wide, 1, 2).pixels == std::vector<uint8_t>{10, 20, 30, 20, 30, 40});
  CHECK(crop_and_resize(filled(3, 3, 1, 99), 7, 7).pixels == std::vector<uint8_t>(49, 99));
  const Image grown = crop_and_resize(Image{1, 2, 1, {0, 100}}, 2, 4);
  CHECK(std::is_sorted(grown.pixels.begin(), grown.pixels.begin() + 4));
  CHECK(crop_and_resize(filled(1, 5000, 3, 8), 3, 3).pixels == std::vector<uint8_t>(27, 8));
  CHECK(crop_and_resize(filled(640, 480, 3, 8), 28, 28).pixels == std::vector<uint8_t>(28 * 28 * 3, 8));
}

TEST_CASE("image folder: sorted recursively, grey or colour, PNG or JPEG") {
  const TemporaryFolder folder;
  put_file(folder / "b.PNG", png(filled(5, 9, 3, 100)));
  put_file(folder / "c/d/e.jpeg", jpeg(filled(8, 8, 1, 200)));
  put_file(folder / "a.png", png(filled(4, 4, 1, 50)));
  put_file(folder / "notes.txt", std::vector<uint8_t>{1, 2, 3});
  const ImageDataset grey = load_image_folder(folder.path(), 2, 2, 1);
  CHECK(grey.count == 3);
  CHECK(grey.pixels == std::vector<uint8_t>{50, 50, 50, 50, 100, 100, 100, 100, 200, 200, 200, 200});
  CHECK(grey.labels.empty());
  const ImageDataset colour = load_images(folder.path(), Split::train, 2, 4, 3);
  CHECK(colour.pixels.size() == 3 * 2 * 4 * 3);
  CHECK(colour.pixels[0] == 50);
}

TEST_CASE("image folder: the first bad file is named") {
  const TemporaryFolder folder;
  put_file(folder / "a.png", png(filled(4, 4, 1, 50)));
  put_file(folder / "b.jpg", std::vector<uint8_t>{'n', 'o'});
  put_file(folder / "c.jpg", std::vector<uint8_t>{'n', 'o'});
  const auto load = [&] { load_image_folder(folder.path(), 4, 4, 1); };
  CHECK(contains(message_of(load), "/b.jpg: is no PNG or JPEG picture"));
  put_file(folder / "b.jpg", {});
  CHECK(contains(message_of(load), "/b.jpg: is empty"));
  auto damaged = png(filled(4, 4, 1, 50));
  damaged.resize(damaged.size() - 20);
  put_file(folder / "b.jpg", damaged);
  CHECK(contains(message_of(load), "/b.jpg: a damaged picture"));
  auto huge = png(filled(4, 4, 1, 50));
  huge[18] = 0x40, huge[22] = 0x30;  // 16388 x 12292 by its header
  put_file(folder / "b.jpg", huge);
  CHECK(contains(message_of(load), "/b.jpg: "));
}

TEST_CASE("images: what a folder is not is said") {
  const TemporaryFolder folder;
  const auto load = [&](const std::string& path) { return message_of([&] { load_images(path, Split::train, 28, 28, 1); }); };
  CHECK(contains(load(folder.path()), "neither train-images-idx3-ubyte (plain or .gz) nor any .png"));
  CHECK(contains(load(folder / "none"), "/none: no such folder"));
  const std::string nowhere = load("datasets/none");
  for (const char* place : {"datasets/none: no such folder, neither here nor at /", "/share/forger/datasets/none, ",
                            ", /usr/share/forger/datasets/none; give --data"}) {
    CHECK_MESSAGE(contains(nowhere, place), nowhere);
  }
  put_file(folder / "file", std::vector<uint8_t>{1});
  CHECK(contains(load(folder / "file"), "/file: is no folder"));
  CHECK(contains(message_of([&] { load_image_folder(folder.path(), 28, 28, 1); }), "holds no .png, .jpg or .jpeg file"));
}
