#include "training/classifier_weights.h"

#include "models/recipe.h"

// The assembler puts the file into the binary: FORGER_CLASSIFIER_FILE is its path (training/CMakeLists.txt).
__asm__(
    ".section .rodata\n"
    ".balign 16\n"
    "forger_classifier_begin:\n"
    ".incbin \"" FORGER_CLASSIFIER_FILE
    "\"\n"
    "forger_classifier_end:\n"
    ".previous\n");

namespace forger {
namespace {

extern "C" {
extern const uint8_t forger_classifier_begin[];
extern const uint8_t forger_classifier_end[];
}

}  // namespace

Checkpoint embedded_classifier() {
  return parse_checkpoint({forger_classifier_begin, forger_classifier_end}, "the embedded classifier");
}

Checkpoint find_classifier(const std::string& path, const std::function<void(const std::string&)>& note) {
  if (path.empty()) return embedded_classifier();
  Checkpoint checkpoint = find_checkpoint(path, note);
  if (!find_recipe(checkpoint.config.recipe()).is_classifier()) {
    fail<ConfigError>("--classifier: {} is of {}; name a run of {}", path, checkpoint.config.recipe(), kClassifierRecipe);
  }
  return checkpoint;
}

}  // namespace forger
