// What tests of the command line share: the real binary as a subprocess in an empty folder of its own.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <stb/stb_image_write.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <sstream>
#include <thread>

#include "tests/test_files.h"

namespace forger::test {

using Words = std::vector<std::string>;

inline std::string get_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text;
  for (char block[1 << 16]; in.read(block, sizeof block), in.gcount() > 0;) text.append(block, static_cast<size_t>(in.gcount()));
  return text;
}

inline void put_text(const std::string& path, const std::string& text) {
  put_file(path, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

/// "train pattern1010 --steps 3" -> words. No word of these tests has a space in it.
inline Words words(const std::string& line) {
  std::istringstream in(line);
  return {std::istream_iterator<std::string>(in), {}};
}

struct Outcome {
  int code = -1;   // exit code; -1: ended by a signal
  int signal = 0;  // that signal
  std::string out, err;

  /// One line on stderr with every part in it, as every wrong input must end.
  bool is_one_line_with(const Words& parts) const {
    return err.starts_with("forger: ") && err.ends_with("\n") && std::count(err.begin(), err.end(), '\n') == 1 &&
           std::all_of(parts.begin(), parts.end(), [&](const std::string& p) { return contains(err, p); });
  }
};

/// A running forger. Its streams go to files beside the working directory, so that nothing it prints can block it.
class Process {
 public:
  Process(const std::string& folder, const std::string& streams, const Words& arguments,
          const std::function<void()>& in_child = {})
      : out_(streams + ".out"), err_(streams + ".err") {
    pid_ = ::fork();
    if (pid_ < 0) throw Error("cannot fork");
    if (pid_ == 0) {
      Words all = arguments;
      all.insert(all.begin(), FORGER_BINARY);
      std::vector<char*> argv;
      for (std::string& word : all) argv.push_back(word.data());
      argv.push_back(nullptr);
      ::dup2(::open(out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), STDOUT_FILENO);
      ::dup2(::open(err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), STDERR_FILENO);
      if (::chdir(folder.c_str()) != 0) ::_exit(126);
      ::alarm(kLongest);  // survives exec: no run can hang the tests
      if (in_child) in_child();
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  /// Whether forger has a handler of its own for a signal. (Before it is loaded, its process is the tests' with theirs.)
  bool catches(int signal) const {
    const std::string process = "/proc/" + std::to_string(pid_);
    std::error_code error;
    if (!std::filesystem::equivalent(process + "/exe", FORGER_BINARY, error)) return false;
    const std::string status = get_text(process + "/status");
    const size_t at = status.find("SigCgt:");
    return at != std::string::npos && (std::stoull(status.substr(at + 7), nullptr, 16) >> (signal - 1) & 1) != 0;
  }

  void send(int signal) const { ::kill(pid_, signal); }

  /// Waits until `what` holds, at most a minute. False if the process ended before.
  bool wait_until(const std::function<bool()>& what) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (std::chrono::steady_clock::now() < deadline) {
      if (what()) return true;
      if (::waitpid(pid_, &status_, WNOHANG) == pid_) {
        pid_ = 0;
        return what();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }
  bool wait_for_output(const std::string& text) {
    return wait_until([&] { return contains(get_text(out_), text); });
  }

  Outcome finish() {
    if (pid_ > 0) ::waitpid(pid_, &status_, 0);
    pid_ = 0;
    Outcome outcome;
    if (WIFEXITED(status_)) outcome.code = WEXITSTATUS(status_);
    if (WIFSIGNALED(status_)) outcome.signal = WTERMSIG(status_);
    outcome.out = get_text(out_);
    outcome.err = get_text(err_);
    return outcome;
  }

 private:
  static constexpr unsigned kLongest = 100;  // seconds

  pid_t pid_ = 0;
  int status_ = 0;
  std::string out_, err_;
};

/// Every file in a folder with its contents; folders with "".
using Tree = std::map<std::string, std::string>;
inline Tree tree_of(const std::string& folder) {
  Tree tree;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    tree[std::filesystem::relative(entry.path(), folder)] = entry.is_regular_file() ? get_text(entry.path()) : "";
  }
  return tree;
}

/// An empty folder to run forger in.
class Workplace {
 public:
  Workplace() { std::filesystem::create_directory(folder_ / "work"); }

  /// The path of a file in the working directory.
  std::string operator/(const std::string& name) const { return path() + "/" + name; }
  std::string path() const { return folder_ / "work"; }

  Process start(const std::string& line, const std::function<void()>& in_child = {}) {
    return Process(path(), folder_ / ("run" + std::to_string(++runs_)), words(line), in_child);
  }
  Outcome run(const Words& arguments, const std::function<void()>& in_child = {}) {
    return Process(path(), folder_ / ("run" + std::to_string(++runs_)), arguments, in_child).finish();
  }
  Outcome run(const std::string& line, const std::function<void()>& in_child = {}) { return run(words(line), in_child); }

  std::string text(const std::string& name) const { return get_text(*this / name); }
  bool has(const std::string& name) const { return std::filesystem::exists(*this / name); }
  Tree tree() const { return tree_of(path()); }

 private:
  TemporaryFolder folder_;
  int runs_ = 0;
};

inline std::string checkpoint_name(int64_t step) {
  return fmt::format("checkpoint-{:08}.safetensors", step);
}

/// The names of a folder's checkpoints, oldest first.
inline Words checkpoints_in(const std::string& folder) {
  Words names;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("checkpoint-") && name.ends_with(".safetensors")) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// These macros keep the line of the test case in a failure's message.

#define FORGER_RUN_OK(workplace, line)                        \
  do {                                                        \
    const auto ok_outcome = (workplace).run(line);            \
    INFO((line) << "\n" << ok_outcome.out << ok_outcome.err); \
    REQUIRE(ok_outcome.code == 0);                            \
    CHECK(ok_outcome.err == "");                              \
  } while (false)

/// Exit 2, one line on stderr with all of the given parts, no file made or changed.
#define FORGER_REFUSES(workplace, line, ...)                                              \
  do {                                                                                    \
    const auto tree_before = (workplace).tree();                                          \
    const auto refused = (workplace).run(line);                                           \
    INFO("exit " << refused.code << " signal " << refused.signal << ": " << refused.err); \
    CHECK(refused.code == 2);                                                             \
    CHECK(refused.is_one_line_with(::forger::test::Words{__VA_ARGS__}));                  \
    CHECK_MESSAGE((workplace).tree() == tree_before, "files were made or changed");       \
  } while (false)

/// An IDX file of bytes that vary, enough to look like a set of images.
inline std::vector<uint8_t> idx_bytes(const std::vector<uint32_t>& dims, uint32_t values) {
  std::vector<uint8_t> bytes = {0, 0, 8, static_cast<uint8_t>(dims.size())};
  for (const uint32_t d : dims) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(d >> shift));
  }
  for (uint32_t i = 0; i < values; ++i) bytes.push_back(static_cast<uint8_t>(i * 2654435761u >> 24));
  return bytes;
}

/// A square PNG of 1 or 3 channels.
inline void put_png(const std::string& path, int side, int channels, const uint8_t* pixels) {
  std::vector<uint8_t> png;
  const auto append = [](void* out, void* data, int size) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    static_cast<std::vector<uint8_t>*>(out)->insert(static_cast<std::vector<uint8_t>*>(out)->end(), bytes, bytes + size);
  };
  stbi_write_png_to_func(append, &png, side, side, channels, pixels, 0);
  put_file(path, png);
}

/// The same with values that are multiples of `factor`.
inline void put_picture(const std::string& path, int side, int channels, int factor) {
  std::vector<uint8_t> pixels;
  for (int i = 0; i < side * side * channels; ++i) pixels.push_back(static_cast<uint8_t>(i * factor));
  put_png(path, side, channels, pixels.data());
}

/// A folder with a training set of `count` images of 28 x 28 pixels.
inline void put_images(const std::string& folder, uint32_t count = 64) {
  put_file(folder + "/train-images-idx3-ubyte", idx_bytes({count, 28, 28}, count * 28 * 28));
  put_file(folder + "/train-labels-idx1-ubyte", idx_bytes({count}, count));
}

}  // namespace forger::test
