// forger: trains GANs. Exit codes: 0 done, 1 failed, 2 wrong input, 3 diverged, 130 interrupted.
#include "cli/commands.h"
#include "kernels/common/errors.h"

namespace {

constexpr int kFailed = 1, kWrongInput = 2, kDiverged = 3;

int report(const std::exception& e, int code) {
  fmt::print(stderr, "forger: {}\n", e.what());
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"forger trains GANs from one native binary"};
  app.set_version_flag("--version", "forger " FORGER_VERSION);
  app.require_subcommand(1);
  forger::Action action;
  forger::add_list(app, action);
  forger::add_summary(app, action);
  forger::add_doctor(app, action);
  forger::add_explain(app, action);
  forger::add_train(app, action);
  forger::add_sample(app, action);
  forger::add_verify(app, action);
  forger::add_bench(app, action);
  try {
    app.parse(argc, argv);
    return action();
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    fmt::print(stderr, "forger: {}; see forger --help\n", e.what());
    return kWrongInput;
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
