// Keeps oneDNN on the thread that calls it.
#pragma once

namespace forger::onednn {

/// While it lives, OpenMP regions entered by this thread have one thread. Our own threads run one piece of a primitive
/// each: OpenMP's would wait for each other at barriers, where they spin.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

}  // namespace forger::onednn
