// A look at a JPEG before stb_image decodes it: up to version 2.27, which Debian has, it trusts the length of
// Huffman tables and would write behind them.
#pragma once

#include "datasets/files.h"

namespace forger {

/// Whether all Huffman tables in a JPEG have a possible length. Any other file passes, however damaged: the
/// decoder finds that itself.
bool has_sane_huffman_tables(Bytes jpeg);

}  // namespace forger
