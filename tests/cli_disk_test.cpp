// A full disk: what was whole stays whole, and the run goes on when there is room again.
#include <sys/mount.h>

#include "tests/cli_testing.h"

TEST_SUITE_BEGIN("command line: full disk");

using namespace forger::test;

namespace {

/// A small file system in memory, if this process may mount one.
class SmallDisk {
 public:
  SmallDisk(const std::string& folder, const std::string& size) : folder_(folder) {
    std::filesystem::create_directory(folder);
    mounted_ = ::mount("none", folder.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }

 private:
  std::string folder_;
  bool mounted_;
};

/// Files may not grow beyond this; writing more fails instead of ending the process.
std::function<void()> files_up_to(rlim_t bytes) {
  return [bytes] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  };
}

bool has_temporary(const std::string& folder) {
  for (const auto& [name, contents] : tree_of(folder)) {
    if (name.ends_with(".tmp")) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a checkpoint that does not fit leaves no part of itself, and older ones survive") {
  Workplace w;
  const std::string flags =
      "train pattern1010 --z-dim 2000 --optimizer adam --checkpoint-every 4 --sample-every 1000 --log-every 1000";
  FORGER_RUN_OK(w, flags + " --steps 12 --out whole");
  FORGER_RUN_OK(w, flags + " --steps 4 --out r");
  const auto size = std::filesystem::file_size(w / ("r/" + checkpoint_name(4)));
  const std::string first = w.text("r/" + checkpoint_name(4));
  for (const rlim_t limit : {size / 2, size - 1}) {
    const auto outcome = w.run("train --resume r --steps 12", files_up_to(limit));  // by far the largest file
    INFO(outcome.out << outcome.err);
    CHECK(outcome.code == 2);
    CHECK(outcome.is_one_line_with({checkpoint_name(8), "cannot write", "File too large"}));
    CHECK(checkpoints_in(w / "r") == Words{checkpoint_name(4)});
    CHECK(w.text("r/" + checkpoint_name(4)) == first);
    CHECK(!has_temporary(w / "r"));
  }
  FORGER_RUN_OK(w, "train --resume r --steps 12");
  for (const int step : {8, 12}) CHECK(w.text("r/" + checkpoint_name(step)) == w.text("whole/" + checkpoint_name(step)));
}

TEST_CASE("a whole checkpoint survives a failed attempt to write it again") {
  Workplace w;
  FORGER_RUN_OK(w, "train pattern1010 --z-dim 2000 --optimizer adam --checkpoint-every 4 --steps 12 --out r");
  const std::string before = w.text("r/" + checkpoint_name(8));
  const auto outcome = w.run("train --resume r/" + checkpoint_name(4), files_up_to(before.size() / 2));
  CHECK(outcome.code == 2);
  CHECK(outcome.is_one_line_with({checkpoint_name(8), "cannot write"}));
  CHECK(checkpoints_in(w / "r") == Words{checkpoint_name(4), checkpoint_name(8), checkpoint_name(12)});
  CHECK(w.text("r/" + checkpoint_name(8)) == before);
}

TEST_CASE("a disk that fills up stops the run with a clear line, with room again it goes on") {
  Workplace w;
  const SmallDisk disk(w / "disk", "200k");
  if (!disk.mounted()) {
    MESSAGE("skipped: may not mount a file system here");
    return;
  }
  const std::string flags =
      "train pattern1010 --z-dim 2000 --optimizer adam --checkpoint-every 2 --sample-every 1000 --log-every 1000 --keep 99";
  FORGER_RUN_OK(w, flags + " --steps 40 --out whole");
  const auto outcome = w.run(flags + " --steps 40 --out disk/r");
  INFO(outcome.out << outcome.err);
  CHECK(outcome.code == 2);
  CHECK(outcome.is_one_line_with({"disk/r/", "No space left on device"}));
  const Words kept = checkpoints_in(w / "disk/r");
  REQUIRE(kept.size() >= 1);
  for (const auto& name : kept) CHECK(w.text("disk/r/" + name) == w.text("whole/" + name));  // each is whole
  CHECK(!has_temporary(w / "disk/r"));
  REQUIRE(::mount("none", (w / "disk").c_str(), "tmpfs", MS_REMOUNT, "size=4m") == 0);
  FORGER_RUN_OK(w, "train --resume disk/r");
  CHECK(w.text("disk/r/" + checkpoint_name(40)) == w.text("whole/" + checkpoint_name(40)));
}

TEST_CASE("samples that do not fit are an error") {
  Workplace w;
  FORGER_RUN_OK(w, "train gaussians4 --batch 8 --steps 1 --out r");
  const auto outcome = w.run("sample r --count 10000 --out x.npy", files_up_to(20000));
  CHECK(outcome.code == 2);
  CHECK(outcome.is_one_line_with({"x.npy", "cannot write", "File too large"}));
  CHECK(!w.has("x.npy"));
  CHECK(!has_temporary(w.path()));
}

TEST_SUITE_END();
