// Whole training steps on the CPU: the same bytes for any number of threads, whichever of them takes a piece.
#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <thread>

#include "kernels/threads/pool.h"
#include "training/trainer.h"

using namespace forger;

namespace {

using State = std::map<std::string, std::vector<std::byte>>;

/// Runs two steps of a recipe on the MNIST files and returns all variables.
State two_steps(const char* recipe, const char* threads) {
  Config config = find_recipe(recipe).defaults;
  config.set("data", OptionValue(std::string(FORGER_SOURCE_DIR "/datasets/mnist")));
  config.set("device", std::string("cpu"));
  config.set("threads", std::string(threads));
  config.set("batch", std::string("9"));  // pieces of two lengths
  TrainingRun run(config, nullptr);
  for (int i = 0; i < 2; ++i) run.session().run();
  State state;
  for (const auto& [name, entry] : run.variables().entries()) state[name] = run.variables().read(name);
  return state;
}

struct Restore {
  int threads = num_threads();
  ~Restore() {
    set_num_threads(threads);
    threads::set_delay(nullptr);
  }
};

/// Holds up one thread or another, by pieces, so that pieces are taken in many orders.
void upset(int64_t piece, int slot) {
  if ((piece * 7 + slot * 3) % 5 == 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
  if ((piece + slot) % 3 == 0) std::this_thread::yield();
}

void hold_up_the_caller(int64_t, int slot) {
  if (slot == 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
}

}  // namespace

TEST_CASE("threads: training steps are the same bytes for any number of threads and any order of pieces") {
  const Restore restore;
  for (const char* recipe : {"dcgan", "mlp"}) {
    CAPTURE(recipe);
    const State alone = two_steps(recipe, "1");
    for (const auto delay : {static_cast<void (*)(int64_t, int)>(nullptr), upset, hold_up_the_caller}) {
      threads::set_delay(delay);
      for (const char* threads : {"2", "3"}) {
        CAPTURE(threads);
        const State state = two_steps(recipe, threads);
        REQUIRE(state.size() == alone.size());
        for (const auto& [name, bytes] : alone) {
          CAPTURE(name);
          CHECK(state.at(name) == bytes);
        }
      }
    }
    threads::set_delay(nullptr);
  }
}
