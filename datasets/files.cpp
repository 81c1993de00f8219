#include "datasets/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "kernels/common/errors.h"

namespace forger {
namespace {

namespace fs = std::filesystem;

/// Reads errno, so it must be called before anything else can change it.
[[noreturn]] void fail_with_errno(const std::string& path, const char* action) {
  const std::string reason = std::generic_category().message(errno);
  fail<DataError>("{}: cannot {}: {}", path, action, reason);
}

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  /// close() can be the first to report a failed write (network file systems), so writers call it themselves.
  bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

/// Removes a file at the end of its scope unless it was kept.
class Temporary {
 public:
  explicit Temporary(std::string path) : path_(std::move(path)) {}
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  const std::string& path() const { return path_; }
  void keep() { path_.clear(); }

 private:
  std::string path_;
};

void write_all(int fd, Bytes bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_with_errno(path, "write");
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

/// The file that shall be replaced: behind a link its target, so that the link survives.
std::string replaced_file(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return path;
  // Renaming over a device such as /dev/null would replace the device.
  if (!fs::is_regular_file(status)) {
    fail<DataError>("{}: cannot write: it is {}, name a file", path,
                    fs::is_directory(status) ? "a folder" : "not a regular file");
  }
  const fs::path target = fs::canonical(path, error);
  return error ? path : target.string();
}

void sync_folder_of(const std::string& path) {
  const std::string folder = (fs::path(path).parent_path() / ".").string();
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) fail_with_errno(folder, "open the folder");
  // EINVAL: a file system that cannot sync folders; there is nothing more to ask of it.
  if (::fsync(fd.get()) != 0 && errno != EINVAL) fail_with_errno(folder, "sync the folder");
}

}  // namespace

std::vector<uint8_t> read_file(const std::string& path, int64_t max_bytes) {
  // O_NONBLOCK: a named pipe that nobody writes to would otherwise block open() for ever.
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) fail_with_errno(path, "open");
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) fail_with_errno(path, "read its size");
  if (!S_ISREG(info.st_mode)) {
    fail<DataError>("{}: cannot read: it is {}, name a file", path, S_ISDIR(info.st_mode) ? "a folder" : "not a regular file");
  }
  if (info.st_size > max_bytes) {
    fail<DataError>("{}: is {} bytes long, expected at most {}; use a smaller file", path, info.st_size, max_bytes);
  }
  std::vector<uint8_t> bytes(static_cast<size_t>(info.st_size));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::read(fd.get(), bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_with_errno(path, "read");
    if (got == 0) break;  // somebody shortens the file right now: its reader will find what is missing
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

void write_file(const std::string& path, std::span<const Bytes> parts) {
  const std::string target = replaced_file(path);
  Temporary temporary(fmt::format("{}.{}.tmp", target, ::getpid()));
  Descriptor fd(::open(temporary.path().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (fd.get() < 0) fail_with_errno(path, "create");
  for (const Bytes part : parts) write_all(fd.get(), part, path);
  if (::fsync(fd.get()) != 0) fail_with_errno(path, "sync");
  if (!fd.close()) fail_with_errno(path, "close");
  if (std::rename(temporary.path().c_str(), target.c_str()) != 0) fail_with_errno(path, "rename");
  temporary.keep();
  sync_folder_of(target);
}

void write_file(const std::string& path, std::initializer_list<Bytes> parts) {
  write_file(path, std::span<const Bytes>(parts.begin(), parts.size()));
}

}  // namespace forger
