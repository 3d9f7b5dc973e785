#include "raven/core/error.h"

#include "raven/core/interrupt.h"

#include <exception>

namespace raven {

std::string full_message(const std::exception& error) {
  std::string message = error.what();
  try {
    std::rethrow_if_nested(error);
  } catch (const std::exception& cause) {
    message += ": " + full_message(cause);
  } catch (...) {
    message += ": unknown cause";
  }
  return message;
}

int exit_code_of(const std::exception& error) {
  if (const auto* of_peer = dynamic_cast<const PeerError*>(&error)) return of_peer->code();
  if (dynamic_cast<const ConfigError*>(&error) != nullptr)
    return static_cast<int>(ExitCode::kUsage);
  if (dynamic_cast<const SkipBudgetError*>(&error) != nullptr)
    return static_cast<int>(ExitCode::kTooManySkipped);
  return static_cast<int>(ExitCode::kFailed);
}

namespace detail {

void check_failed(const char* condition, const char* file, int line, const std::string& message) {
  throw InternalError(
      fmt::format("{}:{}: {} (expected {}); this is a bug in raven, please report it", file, line,
                  message, condition));
}

}  // namespace detail
}  // namespace raven
