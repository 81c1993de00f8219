#include "datasets/jpeg_check.h"

#include <numeric>

namespace forger {
namespace {

constexpr uint8_t kStartOfImage = 0xD8, kEndOfImage = 0xD9, kFirstRestart = 0xD0, kLastRestart = 0xD7, kHuffmanTables = 0xC4,
                  kStuffed = 0x00;

/// Markers without a length and contents behind them.
bool stands_alone(uint8_t marker) {
  return marker == kStuffed || marker == kStartOfImage || marker == kEndOfImage ||
         (marker >= kFirstRestart && marker <= kLastRestart);
}

/// One segment holds tables of: class and number (1 byte), how many codes there are of each length 1 to 16
/// (16 bytes), the codes' symbols (a byte each, so at most 256). Source: ITU-T T.81, B.2.4.2.
bool sane_tables(Bytes tables) {
  constexpr size_t kHead = 17;
  while (!tables.empty()) {
    if (tables.size() < kHead) return false;
    const size_t symbols = std::accumulate(tables.begin() + 1, tables.begin() + kHead, size_t{0});
    if (symbols > 256 || tables.size() < kHead + symbols) return false;
    tables = tables.subspan(kHead + symbols);
  }
  return true;
}

}  // namespace

bool has_sane_huffman_tables(Bytes jpeg) {
  // From marker to marker as the decoder goes: over a segment by its length, over anything else byte by byte.
  size_t i = 0;
  while (i + 1 < jpeg.size()) {
    const uint8_t marker = jpeg[i + 1];
    if (jpeg[i] != 0xff || marker == 0xff) {
      ++i;
    } else if (stands_alone(marker)) {
      i += 2;
    } else {
      if (i + 4 > jpeg.size()) return true;
      const size_t length = size_t{jpeg[i + 2]} << 8 | jpeg[i + 3];  // counts its own two bytes
      if (marker == kHuffmanTables) {
        if (length < 2 || i + 2 + length > jpeg.size()) return false;
        if (!sane_tables(jpeg.subspan(i + 4, length - 2))) return false;
      }
      i += 2 + length;
    }
  }
  return true;
}

}  // namespace forger
