// spdlog set-up. Messages go to stderr, results to stdout, numbers to metrics.jsonl. Control
// characters of names and transcripts reach neither terminal nor file (for_terminal, utf8.h).
#pragma once

#include <spdlog/spdlog.h>

#include <filesystem>
#include <string>

namespace raven::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

/// Called once by main. `level`: trace, debug, info, warn, error or off.
void start(const std::string& level);

/// From here on messages name the rank, of which all but 0 tell warnings and errors only.
void start_rank(int rank);

/// As long as it lives, every message is also appended to `file` (a run's log.txt).
class AlsoTo {
 public:
  explicit AlsoTo(const std::filesystem::path& file);
  ~AlsoTo();
  AlsoTo(const AlsoTo&) = delete;
  AlsoTo& operator=(const AlsoTo&) = delete;

 private:
  spdlog::sink_ptr sink_;
};

/// Warns the first time `message` is given; later ones are only counted (see repeated()).
void warn_once(const std::string& message);

/// The same for messages that hold changing numbers: warns the first time `key` is given.
void warn_once(const std::string& key, const std::string& message);

/// Logs how often each warning of warn_once came again, and forgets them.
void repeated();

}  // namespace raven::log
