// What can go wrong, as exception types, and the exit codes that follow from them.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace raven {

/// Root of everything that raven throws on purpose.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A file or flag that the user can mend: exit code 2.
class ConfigError : public Error {
 public:
  using Error::Error;
};

/// One utterance or data file is unusable; the loader may skip it. `reason` is the short word by
/// which such cases are counted ("corrupt", "short", "no-face", "missing", ...).
class DataError : public Error {
 public:
  explicit DataError(const std::string& what, std::string reason = "corrupt")
      : Error(what), reason_(std::move(reason)) {}
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }

 private:
  std::string reason_;
};

/// A media file that libav cannot read, or that exceeds the limits set for it.
class MediaError : public DataError {
 public:
  using DataError::DataError;
};

/// More utterances were unusable than `data.max_skipped` allows: exit code 3.
class SkipBudgetError : public Error {
 public:
  using Error::Error;
};

/// A checkpoint or weights file that is missing, damaged or of another shape.
class CheckpointError : public Error {
 public:
  using Error::Error;
};

/// The operating system refused: disk full, no permission, ...
class SystemError : public Error {
 public:
  using Error::Error;
};

/// Another process of the run has ended or cannot be reached. `code`: what this one ends with: the
/// other's where it told why it ended, else ExitCode::kStopped, since starting again helps.
class PeerError : public Error {
 public:
  PeerError(const std::string& what, int code) : Error(what), code_(code) {}
  [[nodiscard]] int code() const noexcept { return code_; }

 private:
  int code_;
};

/// Our bug, from RAVEN_CHECK.
class InternalError : public Error {
 public:
  using Error::Error;
};

/// "what: cause: cause of the cause" of a chain made by std::throw_with_nested.
std::string full_message(const std::exception& error);

/// What a process that `error` ends exits with (interrupt.h: ExitCode).
int exit_code_of(const std::exception& error);

namespace detail {
[[noreturn]] void check_failed(const char* condition, const char* file, int line,
                               const std::string& message);
}  // namespace detail

}  // namespace raven

/// Throws InternalError with place, condition and a formatted message when `condition` is false.
#define RAVEN_CHECK(condition, ...)                                                              \
  do {                                                                                           \
    if (!(condition)) {                                                                          \
      ::raven::detail::check_failed(#condition, __FILE__, __LINE__, ::fmt::format(__VA_ARGS__)); \
    }                                                                                            \
  } while (false)
