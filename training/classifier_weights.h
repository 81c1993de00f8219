// The classifier's trained weights, which every binary carries.
#pragma once

#include "training/checkpoint.h"

namespace forger {

/// evaluation/weights/mnist-classifier.safetensors as it was when the binary was built.
Checkpoint embedded_classifier();

/// A classifier's run, checkpoint or weights alone; empty: the embedded one. Throws DataError, ConfigError if it is none.
Checkpoint find_classifier(const std::string& path, const std::function<void(const std::string&)>& note);

}  // namespace forger
