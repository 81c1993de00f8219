#include "kernels/common/errors.h"
#include "kernels/simd/gather.h"
#include "tests/simd_testing.h"

using namespace forger;
using namespace simd_testing;

TEST_CASE("simd gather: rows of bytes and floats, every size, exact") {
  for_each_isa([](Isa isa) {
    for (const int64_t row : {1, 3, 17, 256, 784}) {
      for (const int64_t batch : {1, 3, 128}) {
        CAPTURE(row);
        CAPTURE(batch);
        const int64_t rows = 40;
        std::vector<uint8_t> bytes(rows * row);
        for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 37 + i / 256);
        const auto floats = reals(rows * row, 1);
        std::vector<int32_t> indices(batch);
        for (int64_t b = 0; b < batch; ++b) indices[b] = static_cast<int32_t>((b * 23 + 39) % rows);
        Guarded from_bytes(batch * row), from_floats(batch * row);
        simd::gather_u8(bytes.data(), rows, indices.data(), batch, row, from_bytes.data(), isa);
        simd::gather_f32(floats.data(), rows, indices.data(), batch, row, from_floats.data());
        int64_t wrong = 0;
        for (int64_t i = 0; i < batch * row; ++i) {
          const int64_t from = indices[i / row] * row + i % row;
          wrong += from_bytes[i] != static_cast<float>(bytes[from]) / 127.5f - 1.f || from_floats[i] != floats[from];
        }
        CHECK(wrong == 0);
        CHECK(from_bytes.guards_intact());
        CHECK(from_floats.guards_intact());
      }
    }
  });
}

TEST_CASE("simd gather: black and white are -1 and 1, an index outside the data is refused") {
  const std::vector<uint8_t> bytes = {0, 255};
  const std::vector<int32_t> indices = {0, 1}, beyond = {0, 2}, negative = {-1, 0};
  std::vector<float> out(2);
  simd::gather_u8(bytes.data(), 2, indices.data(), 2, 1, out.data());
  CHECK(out == std::vector<float>{-1.f, 1.f});
  const std::vector<float> floats = {0, 0};
  for (const auto& bad : {beyond, negative}) {
    CHECK_THROWS_AS(simd::gather_u8(bytes.data(), 2, bad.data(), 2, 1, out.data()), DataError);
    CHECK_THROWS_AS(simd::gather_f32(floats.data(), 2, bad.data(), 2, 1, out.data()), DataError);
  }
}
