// The one CUDA type in the launchers' interfaces, without CUDA's headers.
//
// Every .cu file is compiled twice: by nvcc into namespace forger::cuda, and by g++ for the emulator into
// namespace forger::emulated. FORGER_DEVICE is that namespace's name, in sources and in the headers that declare
// their launchers.
#pragma once

#ifndef FORGER_DEVICE
#define FORGER_DEVICE cuda
#endif

struct CUstream_st;

namespace forger {
/// cudaStream_t. Under emulation it carries an emulation::Options*, or null.
using Stream = CUstream_st*;
}  // namespace forger
