// Samples of other programs: .npy and IDX, whole and damaged, and the pixels that they stand for.
#include "datasets/sample_file.h"

#include <doctest/doctest.h>

#include "datasets/idx.h"
#include "kernels/common/errors.h"
#include "tests/test_files.h"
#include "training/npy.h"

using namespace forger;
using namespace forger::test;

namespace {

std::vector<uint8_t> npy(const std::string& descr, const std::string& shape, size_t data_bytes, const char* order = "False") {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
  std::string file = "\x93NUMPY";
  file += {'\1', '\0', static_cast<char>(header.size()), '\0'};
  file += header + std::string(data_bytes, '\1');
  return {file.begin(), file.end()};
}

std::string npy_error(const std::vector<uint8_t>& file) {
  return message_of<DataError>([&] { parse_npy(file, "x.npy"); });
}

}  // namespace

TEST_CASE("samples: .npy as it was written, bytes, floats and doubles") {
  TemporaryFolder folder;
  const std::vector<float> values{1, -2, 3.5f, 4, 5, 6};
  const int64_t shape[] = {3, 2};
  write_npy(folder / "a.npy", shape, values);
  const SampleArray a = read_samples(folder / "a.npy");
  CHECK(a.dims == std::vector<int64_t>{3, 2});
  CHECK(a.values == values);
  CHECK_FALSE(a.bytes);
  const SampleArray b = parse_npy(npy("|u1", "(2, 3)", 6), "b");
  CHECK(b.bytes);
  CHECK(b.values == std::vector<float>(6, 1.f));
  CHECK(parse_npy(npy("<f8", "(5,)", 40), "c").values.size() == 5);
}

TEST_CASE("samples: .npy that is damaged or of another kind is refused with the reason") {
  CHECK(contains(npy_error(npy("<f4", "(3, 2)", 23)), "23 bytes of data, expected 24"));
  CHECK(contains(npy_error(npy("<i8", "(3, 2)", 48)), "expected '|u1', '<f4' or '<f8'"));
  CHECK(contains(npy_error(npy("<f4", "(3, 2)", 24, "True")), "Fortran"));
  CHECK(contains(npy_error(npy("<f4", "()", 4)), "expected samples along the first axis"));
  CHECK(contains(npy_error(npy("<f4", "(3, -2)", 24)), "its shape is"));
  CHECK(contains(npy_error(npy("<f4", "(99999999999, 99999999999)", 24)), "at most 2^31"));
  auto cut = npy("<f4", "(3, 2)", 24);
  for (size_t n = 0; n < cut.size(); ++n) CHECK_FALSE(npy_error({cut.begin(), cut.begin() + static_cast<int64_t>(n)}).empty());
}

TEST_CASE("samples: IDX of floats and bytes") {
  TemporaryFolder folder;
  const int64_t shape[] = {2, 2};
  write_idx(folder / "f.idx", shape, std::vector<float>{0.5f, -1, 2, 3});
  CHECK(read_samples(folder / "f.idx").values == std::vector<float>{0.5f, -1, 2, 3});
  write_idx(folder / "b.idx", shape, std::vector<uint8_t>{0, 255, 2, 3});
  CHECK(read_samples(folder / "b.idx").values == std::vector<float>{0, 255, 2, 3});
  CHECK(read_samples(folder / "b.idx").bytes);
  auto bytes = get_file(folder / "f.idx");
  bytes.pop_back();
  put_file(folder / "cut.idx", bytes);
  CHECK(contains(message_of<DataError>([&] { read_samples(folder / "cut.idx"); }), "cut or damaged"));
  put_file(folder / "text", std::vector<uint8_t>{'h', 'e', 'l', 'l', 'o'});
  CHECK(contains(message_of<DataError>([&] { read_samples(folder / "text"); }), "neither .npy nor IDX"));
}

TEST_CASE("samples: pixels in any of the usual ranges, channels first or last") {
  CHECK(image_samples({{1, 1, 3}, {-1, 0, 1}, false}, "x").pixels == std::vector<uint8_t>{0, 128, 255});
  CHECK(image_samples({{1, 1, 3}, {0, 0.5f, 1}, false}, "x").pixels == std::vector<uint8_t>{0, 128, 255});
  CHECK(image_samples({{1, 1, 3}, {0, 128, 255}, false}, "x").pixels == std::vector<uint8_t>{0, 128, 255});
  CHECK(image_samples({{1, 1, 3}, {0, 1, 0}, true}, "x").pixels == std::vector<uint8_t>{0, 1, 0});
  for (int v = 0; v < 256; ++v) {  // a byte stays what it is
    CHECK(image_samples({{1, 1, 1}, {static_cast<float>(v)}, true}, "x").pixels[0] == v);
  }
  const ImageSamples first = image_samples({{1, 3, 2, 2}, {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23}, true}, "x");
  CHECK(first.channels == 3);
  CHECK(first.pixels == std::vector<uint8_t>{0, 10, 20, 1, 11, 21, 2, 12, 22, 3, 13, 23});
  CHECK_THROWS_AS(image_samples({{2, 3}, std::vector<float>(6), false}, "x"), DataError);
  CHECK_THROWS_AS(image_samples({{1, 2, 2, 2}, std::vector<float>(8), false}, "x"), DataError);
  CHECK_THROWS_AS(image_samples({{1, 1, 2}, {0, 300}, false}, "x"), DataError);
  CHECK_THROWS_AS(image_samples({{1, 1, 2}, {0, NAN}, false}, "x"), DataError);
}
