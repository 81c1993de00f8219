#include "datasets/idx.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>

#include "datasets/byte_source.h"
#include "tests/md5.h"
#include "tests/test_files.h"

using namespace forger;
using namespace forger::test;

namespace {

// Two images of 2x3 pixels.
const std::vector<uint8_t> kSmall = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255};

std::string error_of(std::vector<uint8_t> bytes) {
  return message_of([&] { parse_idx(bytes, "f"); });
}

std::vector<uint8_t> changed(size_t index, uint8_t value) {
  auto bytes = kSmall;
  bytes[index] = value;
  return bytes;
}

}  // namespace

TEST_CASE("md5: known answers of RFC 1321") {
  const auto sum = [](const std::string& s) { return md5({reinterpret_cast<const uint8_t*>(s.data()), s.size()}); };
  CHECK(sum("") == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(sum("message digest") == "f96b697d7cb7938d525a2f31aaf161d0");
  CHECK(sum("12345678901234567890123456789012345678901234567890123456789012345678901234567890") ==
        "57edf4a22be3c955ac49da2e2107b67a");
}

TEST_CASE("idx: plain, gzip and several gzip members read the same") {
  const IdxArray plain = parse_idx(kSmall, "f");
  CHECK(plain.dims == std::vector<int64_t>{2, 2, 3});
  CHECK(plain.values == std::vector<uint8_t>(kSmall.begin() + 16, kSmall.end()));
  CHECK(parse_idx(gzip(kSmall), "f").values == plain.values);
  auto members = gzip(std::span(kSmall).first(10));
  const auto second = gzip(std::span(kSmall).subspan(10));
  members.insert(members.end(), second.begin(), second.end());
  CHECK(parse_idx(members, "f").values == plain.values);
}

TEST_CASE("idx: a wrong header says where and what") {
  CHECK(error_of({}) == "f: is empty; copy or download the file again");
  CHECK(contains(error_of(changed(0, 1)), "byte 0: no IDX file: it begins with 01 00, expected 00 00"));
  CHECK(contains(error_of(changed(2, 0x0D)), "byte 2: IDX type 0x0d (float), expected 0x08"));
  CHECK(contains(error_of(changed(3, 0)), "byte 3: 0 dimensions, expected 1 to 4"));
  CHECK(contains(error_of(changed(3, 5)), "byte 3: 5 dimensions, expected 1 to 4"));
  CHECK(contains(error_of(changed(7, 0)), "byte 4: dimension 0 is empty"));
  CHECK(contains(error_of(changed(15, 0)), "byte 12: dimension 2 is empty"));
  CHECK(contains(error_of(changed(7, 3)), "too short"));
  CHECK(contains(error_of(changed(7, 1)), "too long: the data goes on after byte 22, where the header [1, 2, 3]"));
}

TEST_CASE("idx: a header that claims 10^12 images fails at once") {
  // 4e9 x 250 x 1 and, where the product of 32-bit numbers overflows 64 bits, 2^32-1 three times.
  const std::vector<uint8_t> trillion = {0, 0, 8, 3, 0xEE, 0x6B, 0x28, 0, 0, 0, 0, 250, 0, 0, 0, 1, 1, 2, 3};
  CHECK(contains(error_of(trillion), "claims more than"));
  CHECK(contains(error_of(gzip(trillion)), "claims more than"));
  std::vector<uint8_t> most(20, 0xff);
  most[0] = most[1] = 0, most[2] = 8, most[3] = 4;
  CHECK(contains(error_of(most), "claims more than"));
  // Below the cap, but more than the file can hold even at deflate's best.
  const std::vector<uint8_t> gigabyte = {0, 0, 8, 1, 0x40, 0, 0, 0, 1, 2, 3};
  CHECK(contains(error_of(gigabyte), "can hold at most 11;"));
  CHECK(contains(error_of(gzip(gigabyte)), "can hold at most"));
}

TEST_CASE("idx: every truncation and every flipped bit of the compressed data is found") {
  const auto compressed = gzip(kSmall);
  for (size_t n = 0; n < kSmall.size(); ++n) CHECK(error_of({kSmall.begin(), kSmall.begin() + n}) != "");
  for (size_t n = 0; n < compressed.size(); ++n) CHECK(error_of({compressed.begin(), compressed.begin() + n}) != "");
  for (size_t bit = 8 * 10; bit < 8 * compressed.size(); ++bit) {  // behind gzip's header of names and dates
    auto damaged = compressed;
    damaged[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    // Found, or without effect: the bits that pad deflate's last byte mean nothing.
    const bool harmless = error_of(damaged).empty() && parse_idx(damaged, "f").values == parse_idx(kSmall, "f").values;
    CHECK((error_of(damaged) != "" || harmless));
  }
  auto longer = kSmall;
  longer.push_back(0);
  CHECK(contains(error_of(longer), "too long"));
  CHECK(contains(error_of(gzip(longer)), "too long"));
  longer = compressed;
  longer.push_back(0);
  CHECK(contains(error_of(longer), "1 bytes follow the compressed data"));
}

TEST_CASE("idx: what is written is what is read") {
  const TemporaryFolder folder;
  const std::vector<int64_t> dims = {3, 2, 2};
  std::vector<uint8_t> values(12);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint8_t>(20 * i);
  write_idx(folder / "a.idx", dims, std::span<const uint8_t>(values));
  const IdxArray back = read_idx(folder / "a.idx");
  CHECK(back.dims == dims);
  CHECK(back.values == values);

  const std::vector<float> floats = {1.0f, -2.5f};
  write_idx(folder / "f.idx", std::vector<int64_t>{2}, std::span<const float>(floats));
  CHECK(get_file(folder / "f.idx") == std::vector<uint8_t>{0, 0, 0x0D, 1, 0, 0, 0, 2, 0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0});
  CHECK(contains(message_of<ShapeError>([&] { write_idx(folder / "x", dims, std::span<const float>(floats)); }),
                 "2 values, expected 12 for shape [3, 2, 2]"));
  CHECK(folder.entries() == 2);
}

TEST_CASE("files: errors tell the system's reason") {
  const TemporaryFolder folder;
  CHECK(contains(message_of([&] { read_idx(folder / "none"); }), "/none: cannot open: No such file or directory"));
  CHECK(contains(message_of([&] { read_idx(folder.path()); }), "it is a folder"));
  CHECK(contains(message_of([&] { read_file("/dev/zero", 10); }), "not a regular file"));
  put_file(folder / "long", std::vector<uint8_t>(11));
  CHECK(contains(message_of([&] { read_file(folder / "long", 10); }), "is 11 bytes long, expected at most 10"));
  CHECK(contains(message_of([&] { write_file(folder / "none/x", {}); }), "cannot create: No such file or directory"));
  CHECK(contains(message_of([&] { write_file(folder.path(), {}); }), "it is a folder"));
  CHECK(contains(message_of([&] { write_file("/dev/null", {}); }), "not a regular file"));
}

TEST_CASE("files: a write that fails half way leaves the old file and nothing else") {
  const TemporaryFolder folder;
  const std::vector<uint8_t> old = {1, 2, 3}, big(100'000, 7);
  write_file(folder / "x", {old});
  // A limit on the size of files makes write() fail in the middle, as a full disk does.
  rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {50'000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = message_of([&] { write_file(folder / "x", {big}); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(contains(message, "cannot write: File too large"));
  CHECK(get_file(folder / "x") == old);
  CHECK(folder.entries() == 1);
}

TEST_CASE("files: a symbolic link is followed, not replaced") {
  const TemporaryFolder folder;
  const std::vector<uint8_t> one = {1}, two = {2, 2};
  write_file(folder / "target", {one});
  std::filesystem::create_symlink("target", folder / "link");
  write_file(folder / "link", {two});
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(get_file(folder / "target") == two);
}

TEST_CASE("mnist: the files in this repository are the canonical ones") {
  const std::pair<const char*, const char*> files[] = {{"train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb"},
                                                       {"train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624"},
                                                       {"t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea"},
                                                       {"t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637"}};
  for (const auto& [name, sum] : files) {
    const std::string path = fmt::format("{}/datasets/mnist/{}.gz", FORGER_SOURCE_DIR, name);
    const auto compressed = read_file(path, 1 << 26);
    std::vector<uint8_t> bytes(1 << 26);
    bytes.resize(gzip_source(compressed, path)(bytes));
    CHECK(md5(bytes) == sum);
  }
}
