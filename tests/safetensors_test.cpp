#include "training/safetensors.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/test_files.h"
#include "training/npy.h"

using namespace forger;
using namespace forger::test;

namespace {

const std::vector<float> kWeights = {1.0f, -2.0f, 0.5f, 1e-30f, 3.0f, 4.0f};
const std::vector<uint8_t> kBytes = {1, 2, 3};
const std::vector<int64_t> kStep = {-7};
const std::vector<double> kEmpty = {};
const std::vector<uint64_t> kCounter = {1ull << 63};
const std::vector<int32_t> kInts = {-1, 2};

std::vector<StoredTensor> example_tensors() {
  return {stored_tensor("z/weights", {2, 3}, kWeights),
          stored_tensor("bytes", {3}, kBytes),
          stored_tensor("step", {}, kStep),
          stored_tensor("empty", {0, 5}, kEmpty),
          stored_tensor("counter", {1}, kCounter),
          stored_tensor("ints", {2, 1, 1}, kInts)};
}

std::vector<uint8_t> example_file(const TemporaryFolder& folder) {
  write_safetensors(folder / "a.safetensors", example_tensors(), {{"config", "{\"lr\": 0.1}"}, {"ä", "ö\n"}});
  return get_file(folder / "a.safetensors");
}

/// A file without checksum from a header and so many bytes of data.
std::vector<uint8_t> make_file(const std::string& header, size_t data_bytes) {
  std::vector<uint8_t> file(8 + header.size() + data_bytes);
  const uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  std::memcpy(file.data() + 8, header.data(), header.size());
  return file;
}

std::string error_of(const std::vector<uint8_t>& file, Checksum checksum = Checksum::if_present) {
  return message_of([&] { parse_safetensors(file, "f", checksum); });
}

std::string error_of(const std::string& header, size_t data_bytes) {
  return error_of(make_file(header, data_bytes));
}

}  // namespace

TEST_CASE("safetensors: what is written is what is read, in the same order, and the bytes are always the same") {
  const TemporaryFolder folder;
  const auto bytes = example_file(folder);
  CHECK(example_file(folder) == bytes);
  CHECK(folder.entries() == 1);
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  CHECK((8 + length) % 8 == 0);

  const SafetensorsFile file = read_safetensors(folder / "a.safetensors", Checksum::required);
  CHECK(file.metadata.at("config") == "{\"lr\": 0.1}");
  CHECK(file.metadata.at("ä") == "ö\n");
  REQUIRE(file.tensors.size() == 6);
  CHECK(file.tensors[0].name == "z/weights");
  CHECK(file.tensors[5].name == "ints");
  CHECK(file.at("z/weights").values<float>() == kWeights);
  CHECK(file.at("z/weights").shape == std::vector<int64_t>{2, 3});
  CHECK(file.at("bytes").values<uint8_t>() == kBytes);
  CHECK(file.at("step").values<int64_t>() == kStep);
  CHECK(file.at("step").shape.empty());
  CHECK(file.at("empty").values<double>().empty());
  CHECK(file.at("counter").values<uint64_t>() == kCounter);
  CHECK(file.at("ints").values<int32_t>() == kInts);
  CHECK(file.find("none") == nullptr);
  CHECK(contains(message_of([&] { file.at("none"); }), "a.safetensors: has no tensor 'none'"));
  CHECK(contains(message_of([&] { file.at("step").values<float>(); }), "'step': has type I64, expected F32"));
}

TEST_CASE("safetensors: every truncation and every flipped bit is found") {
  const TemporaryFolder folder;
  const auto bytes = example_file(folder);
  for (size_t n = 0; n < bytes.size(); ++n) CHECK(error_of({bytes.begin(), bytes.begin() + n}) != "");
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    auto damaged = bytes;
    damaged[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    CHECK(error_of(damaged, Checksum::required) != "");
  }
  auto longer = bytes;
  longer.push_back(0);
  CHECK(error_of(longer) != "");
  auto rotten = bytes;
  rotten.back() ^= 1;
  CHECK(contains(error_of(rotten), "f: corrupted: checksum "));
}

TEST_CASE("safetensors: files of other programs, with spaces and without checksum, are read") {
  const auto file =
      parse_safetensors(make_file(R"({"b" : {"shape":[2] , "dtype":"U8","data_offsets":[8,10]},"a":{"dtype":"F32","shape":[1,2],)"
                                  R"("data_offsets":[0,8]}, "__metadata__":{"format":"pt"}}   )",
                                  10),
                        "f");
  CHECK(file.tensors[0].name == "a");
  CHECK(file.at("b").bytes.size() == 2);
  CHECK(file.metadata.at("format") == "pt");
  CHECK(parse_safetensors(make_file("{}", 0), "f").tensors.empty());
  CHECK(contains(error_of(make_file("{}", 0), Checksum::required), "has no checksum"));
}

TEST_CASE("safetensors: a wrong header is refused with its reason") {
  const auto tensor = [](const std::string& fields) { return "{\"a\":{" + fields + "}}"; };
  CHECK(contains(error_of({1, 2, 3}), "3 bytes long, too short"));
  CHECK(contains(error_of(std::vector<uint8_t>(8, 0xff)), "claims a header of 18446744073709551615 bytes"));
  CHECK(contains(error_of("", 0), "no header"));
  CHECK(contains(error_of("[]", 0), "no header"));
  CHECK(contains(error_of("{", 0), "byte 10: the header is no JSON"));
  CHECK(contains(error_of("{\"a\":\xff}", 0), "no JSON"));
  CHECK(contains(error_of("{\"a\":1e999}", 0), "cannot be read"));
  CHECK(contains(error_of("{\"a\":[[[[]]]]}", 0), "nested too deeply"));
  CHECK(contains(error_of("{\"a\":" + std::string(100'000, '['), 0), "nested too deeply"));
  CHECK(contains(error_of("{\"a\":1}", 0), "tensor 'a': expected \"dtype\""));
  CHECK(contains(error_of("{\"__metadata__\":1}", 0), "is no object"));
  CHECK(contains(error_of("{\"__metadata__\":{\"x\":1}}", 0), "metadata 'x' is no text"));
  CHECK(contains(error_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},
                              "a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                          1),
                 "'a' comes twice"));
  CHECK(contains(error_of(tensor(R"("dtype":"F8","shape":[1],"data_offsets":[0,1])"), 1), "type F8, expected F32"));
  CHECK(contains(error_of(tensor(R"("dtype":1,"shape":[1],"data_offsets":[0,1])"), 1), "has no \"dtype\""));
  CHECK(contains(error_of(tensor(R"("dtype":"U8","shape":1,"data_offsets":[0,1])"), 1), "\"shape\" to be a list"));
  CHECK(contains(error_of(tensor(R"("dtype":"U8","shape":[-1],"data_offsets":[0,1])"), 1), "no size: -1"));
  CHECK(contains(error_of(tensor(R"("dtype":"U8","shape":[1.0],"data_offsets":[0,1])"), 1), "no size: 1.0"));
  CHECK(contains(error_of(tensor(R"("dtype":"U8","shape":[1],"data_offsets":[0])"), 1), "has 1 numbers"));
  CHECK(contains(error_of(tensor(R"("dtype":"U8","shape":[1],"data_offsets":[0,2])"), 1), "bytes 0 to 2 of the data"));
  CHECK(contains(error_of(tensor(R"("dtype":"U8","shape":[1],"data_offsets":[1,0])"), 1), "bytes 1 to 0 of the data"));
  CHECK(contains(error_of(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"), 4), "has 4 bytes, expected 2"));
  CHECK(contains(error_of(tensor(R"("dtype":"F32","shape":[1],"data_offsets":[0,5])"), 5), "has 5 bytes, expected 1"));
  CHECK(contains(error_of(tensor(R"("dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0])"), 0),
                 "expected 9223372036854775807 elements"));
  CHECK(contains(error_of(tensor(R"("dtype":"U8","shape":[1],"data_offsets":[0,1])"), 2), "1 bytes follow"));
  CHECK(contains(error_of(tensor(R"("dtype":"U8","shape":[1],"data_offsets":[1,2])"), 2), "leave a gap"));
  CHECK(contains(error_of(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
                              "b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                          3),
                 "tensors overlap"));
}

TEST_CASE("safetensors: the writer refuses what could not be read") {
  const TemporaryFolder folder;
  const std::string path = folder / "x";
  const auto write = [&](std::vector<StoredTensor> tensors) {
    return message_of<ShapeError>([&] { write_safetensors(path, tensors, {}); });
  };
  const auto a = stored_tensor("a", {6}, kWeights);
  CHECK(contains(write({a, a}), "x: tensor 'a': this name is taken"));
  CHECK(contains(write({stored_tensor("__metadata__", {6}, kWeights)}), "this name is taken"));
  CHECK(contains(write({stored_tensor("a", {7}, kWeights)}), "24 bytes do not fit F32 [7]"));
  CHECK(contains(write({stored_tensor("a", {-6}, kWeights)}), "negative"));
  CHECK(contains(message_of([&] { write_safetensors(path, {}, {{"a", "\xff"}}); }), "no UTF-8"));
  CHECK(contains(message_of([&] { write_safetensors(folder / "none/x", {}, {}); }), "cannot create: No such file"));
  CHECK(folder.entries() == 0);
}

TEST_CASE("npy: header and data as numpy.lib.format describes them") {
  const TemporaryFolder folder;
  write_npy(folder / "a.npy", std::vector<int64_t>{2, 3}, kWeights);
  const auto bytes = get_file(folder / "a.npy");
  REQUIRE(bytes.size() == 128 + 24);
  CHECK(std::equal(bytes.begin(), bytes.begin() + 10, "\x93NUMPY\x01\0\x76\0",
                   [](uint8_t a, char b) { return a == static_cast<uint8_t>(b); }));
  const std::string header(bytes.begin() + 10, bytes.begin() + 128);
  CHECK(header.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, ), }  "));
  CHECK(header.back() == '\n');
  CHECK(std::memcmp(bytes.data() + 128, kWeights.data(), 24) == 0);
  CHECK(contains(message_of<ShapeError>([&] { write_npy(folder / "b", std::vector<int64_t>{5}, kWeights); }),
                 "6 values, expected 5"));
}
