#include "kernels/onednn/one_thread.h"

#include <dlfcn.h>

namespace forger::onednn {
namespace {

/// OpenMP's functions in the library that oneDNN brought into this process; null where oneDNN uses no OpenMP.
struct OpenMp {
  int (*max_threads)() = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
  void (*set_threads)(int) = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
  bool present() const { return max_threads && set_threads; }
};

const OpenMp& openmp() {
  static const OpenMp functions;
  return functions;
}

}  // namespace

OneThread::OneThread() : before_(openmp().present() ? openmp().max_threads() : 0) {
  if (before_ > 1) openmp().set_threads(1);
}

OneThread::~OneThread() {
  if (before_ > 1) openmp().set_threads(before_);
}

}  // namespace forger::onednn
