// forger: trains GANs. Exit codes: 0 done, 1 failed, 2 wrong input, 3 diverged, 130 interrupted.
#include <cerrno>
#include <cstring>

#include "cli/commands.h"
#include "cli/version.h"
#include "kernels/common/errors.h"
#include "models/config.h"

namespace {

using namespace forger;

constexpr int kFailed = 1, kWrongInput = 2, kDiverged = 3;

int report(const std::exception& e, int code) {
  std::string line = e.what();
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';  // a file's name may have one
  }
  fmt::print(stderr, "forger: {}\n", line);
  return code;
}

/// A full disk behind a redirected stdout is an error too.
void check_output() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    fail<DataError>("cannot write to the standard output: {}", std::strerror(errno));
  }
}

}  // namespace

int main(int argc, char** argv) {
  forger::CommandLine line("forger trains GANs from one native binary", std::string("forger ") + forger::version());
  forger::add_list(line);
  forger::add_summary(line);
  forger::add_doctor(line);
  forger::add_explain(line);
  forger::add_train(line);
  forger::add_sample(line);
  forger::add_eval(line);
  forger::add_report(line);
  forger::add_walk(line);
  forger::add_export(line);
  forger::add_import(line);
  forger::add_verify(line);
  forger::add_bench(line);
  forger::add_completion(line);
  try {
    const int code = line.parse(argc, argv)();
    check_output();
    return code;
  } catch (const forger::DivergedError& e) {
    return report(e, kDiverged);
  } catch (const forger::ConfigError& e) {
    return report(e, kWrongInput);
  } catch (const forger::DataError& e) {
    return report(e, kWrongInput);
  } catch (const forger::ShapeError& e) {
    return report(e, kWrongInput);
  } catch (const forger::DeviceError& e) {
    return report(e, kWrongInput);
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "forger: not enough memory; try a smaller --batch\n");
    return kWrongInput;
  } catch (const std::exception& e) {
    return report(e, kFailed);
  }
}
