// Trains the classifier that evaluates images: steps, log lines, held-out accuracy, weights.
#pragma once

#include "training/trainer.h"

namespace forger {

/// Trains until config's "steps". The learning rate falls from "c-lr" to 0 in a straight line, in stairs of 100 steps. At every
/// checkpoint the held-out images are classified; at the end also the test images, and the weights alone are written to
/// classifier.safetensors. Returns false if it was interrupted (and saved). Throws DivergedError, DataError.
bool train_classifier(TrainingRun& run, const RunDirectory& directory);

}  // namespace forger
