#include "datasets/byte_source.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>

#include "kernels/common/errors.h"

namespace forger {
namespace {

class GzipReader {
 public:
  GzipReader(Bytes compressed, std::string name) : compressed_(compressed), name_(std::move(name)) {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK) fail<DataError>("{}: no memory to decompress it", name_);
  }
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;
  ~GzipReader() { inflateEnd(&stream_); }

  size_t read(std::span<uint8_t> out) {
    size_t done = 0;
    while (done < out.size() && !ended_) done += inflate_some(out.subspan(done));
    return done;
  }

 private:
  /// One call of zlib, whose counters have 32 bits: a long buffer takes several.
  size_t inflate_some(std::span<uint8_t> out) {
    constexpr size_t kMost = std::numeric_limits<uInt>::max();
    const Bytes input = compressed_.subspan(position_);
    stream_.next_in = const_cast<uint8_t*>(input.data());  // zlib only reads it
    stream_.avail_in = static_cast<uInt>(std::min(input.size(), kMost));
    stream_.next_out = out.data();
    stream_.avail_out = static_cast<uInt>(std::min(out.size(), kMost));
    const uInt offered_in = stream_.avail_in, offered_out = stream_.avail_out;

    const int status = inflate(&stream_, Z_NO_FLUSH);
    position_ += offered_in - stream_.avail_in;
    if (status == Z_STREAM_END) {
      next_member();
    } else if (status == Z_BUF_ERROR || (status == Z_OK && position_ == compressed_.size() && stream_.avail_out > 0)) {
      fail<DataError>("{}: the compressed data ends too early, at byte {}; copy or download the file again", name_, position_);
    } else if (status != Z_OK) {
      fail<DataError>("{}: the compressed data is damaged near byte {}: {}; copy or download the file again", name_, position_,
                      stream_.msg ? stream_.msg : "no gzip data");
    }
    return offered_out - stream_.avail_out;
  }

  void next_member() {
    const Bytes rest = compressed_.subspan(position_);
    if (rest.empty()) {
      ended_ = true;
    } else if (is_gzip(rest)) {
      inflateReset(&stream_);
    } else {
      fail<DataError>("{}: {} bytes follow the compressed data at byte {}; copy or download the file again", name_, rest.size(),
                      position_);
    }
  }

  Bytes compressed_;
  std::string name_;
  size_t position_ = 0;
  bool ended_ = false;
  z_stream stream_ = {};
};

}  // namespace

ByteSource plain_source(Bytes bytes) {
  return [rest = bytes](std::span<uint8_t> out) mutable {
    const size_t n = std::min(out.size(), rest.size());
    std::copy_n(rest.begin(), n, out.begin());
    rest = rest.subspan(n);
    return n;
  };
}

bool is_gzip(Bytes bytes) {
  return bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

ByteSource gzip_source(Bytes compressed, std::string name) {
  auto reader = std::make_shared<GzipReader>(compressed, std::move(name));  // shared: std::function must be copyable
  return [reader](std::span<uint8_t> out) { return reader->read(out); };
}

}  // namespace forger
