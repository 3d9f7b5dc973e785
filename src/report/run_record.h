// All that a report says about one run, read from its folder. What is missing or damaged becomes a
// line in `problems`; only a folder that is not there is an error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "raven/report/metric_names.h"
#include "raven/report/run_history.h"
#include "report/evaluation_record.h"
#include "report/track.h"

namespace raven::report {

struct Metrics {
  std::map<std::string, Track> tracks;             // by key, "step" apart
  std::map<std::string, std::int64_t> not_finite;  // null: the number was NaN or infinite
  std::int64_t lines = 0, damaged_lines = 0;
  double last_step = 0;

  /// Null when the run has no value of it.
  [[nodiscard]] const Track* find(MetricName name) const { return track(metric(name)); }
  [[nodiscard]] const Track* find(MetricFamily family, std::string_view member) const {
    return track(metric(family, member));
  }
  /// Of a name that came from `tracks`.
  [[nodiscard]] const Track* track(const std::string& key) const;
};

struct SkippedFile {
  std::string id, reason, message;
};

/// The mean of checkpoints that is a run's recognizer (recognizer.json).
struct RecognizerRecord {
  std::vector<double> steps;                 // of the checkpoints
  std::optional<double> wer_mean, wer_last;  // on held-out clips: of the mean, of the last alone
  std::string warning = {};                  // the mean reads worse; empty: it does not
};

struct RunRecord {
  std::string name;  // the folder's own
  std::filesystem::path folder;
  std::map<std::string, std::string> config, environment;  // flat, as text
  std::string config_yaml;
  std::vector<std::string> overrides;
  Metrics metrics;
  std::vector<SkippedFile> skipped;  // the first of them
  std::map<std::string, std::int64_t> skipped_by_reason;
  std::vector<std::string> warnings;  // of log.txt: text, without its time
  std::int64_t num_warnings = 0;
  bool stopped_on_nan = false;
  std::vector<EvaluationRecord> evaluations;  // by name
  std::optional<RecognizerRecord> recognizer;
  std::vector<RunPart> history;
  std::vector<std::string> problems;  // of files, for the reader

  [[nodiscard]] std::string value(const std::string& config_key) const;  // empty: not there
  /// Of environment.json.
  [[nodiscard]] std::optional<double> number(const std::string& fact) const;
  /// Frames of training in a step, without padding; 0: not known.
  [[nodiscard]] double frames_per_step() const;
};

/// Throws ConfigError when `folder` is no folder.
RunRecord read_run(const std::filesystem::path& folder);

/// metrics.jsonl; lines that are no objects with a step are counted. Throws SystemError.
Metrics read_metrics(const std::filesystem::path& file);

}  // namespace raven::report
