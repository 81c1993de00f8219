// From numbers to plain words: what is wrong with a set of samples, if anything.
#pragma once

#include "evaluation/digits.h"

namespace forger {

enum class Failure {
  copies,         // of the training set
  collapse,       // all samples are alike
  repeats,        // few samples, made again and again
  dropped_class,  // a class is missing
  noise,          // samples like no real image
};
const char* name_of(Failure failure);  // "copies", "collapse", "repeats", "dropped class", "noise"

struct SampleVerdict {
  std::vector<Failure> failures = {};
  bool good = false;  // the gate: no failure, FDz <= 20 floors, coverage >= .88, score >= 95 % of real, class TV <= .06
  bool excellent =
      false;  // FDz <= 4 floors, coverage >= .95 or its floor, density .95-1.05, score >= 99 % of real, class TV <= .02
  std::string text = {};  // one line
};

/// floor: the same metrics of real held-out images.
SampleVerdict judge_samples(const DigitMetrics& samples, const DigitMetrics& floor);

}  // namespace forger
