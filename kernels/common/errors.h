// The exceptions of Forger. Each names the thing that is wrong and what to do about it, on one line.
//
// The command line maps them to exit codes: the user's input (Shape, Config, Data, Device) exits with 2,
// DivergedError with 3, everything else with 1.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace forger {

/// Base of every error that Forger throws on purpose.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Shapes or types that do not fit together; the message starts with the node's path.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// A flag, a config key or a combination of them that cannot be used.
class ConfigError : public Error {
 public:
  using Error::Error;
};

/// A file that cannot be read or is not what it should be; the message starts with the file's name.
class DataError : public Error {
 public:
  using Error::Error;
};

/// A device or a library that is missing or too old.
class DeviceError : public Error {
 public:
  using Error::Error;
};

/// A loss became NaN or infinite.
class DivergedError : public Error {
 public:
  using Error::Error;
};

/// Throws E with a message in fmt's format: `fail<DataError>("{}: too short", file)`.
template <class E, class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw E(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace forger
