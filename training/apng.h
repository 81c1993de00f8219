// Animated PNG: a PNG file that browsers play, and other viewers show the first frame of.
#pragma once

#include <span>
#include <string>

#include "training/canvas.h"

namespace forger {

/// Writes frames of one size as an endless animation, atomically, `milliseconds` each. Throws ShapeError if there is no frame
/// or their sizes differ, DataError if the file cannot be written.
/// Source: https://www.w3.org/TR/png-3, 11.3.6 (acTL, fcTL, fdAT)
void write_apng(const std::string& path, std::span<const RgbImage> frames, int milliseconds);

}  // namespace forger
