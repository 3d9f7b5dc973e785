// Runs' folders as `raven` writes them, made on the spot.
#pragma once

#include <filesystem>
#include <string>

namespace raven::report {

struct RunOptions {
  int steps = 200;
  double wer = 0.4;         // about
  std::string text;         // put into every text that a file can hold: names, ids, words, values
  bool fine_tuning = true;  // else pre-training
};

/// `<folder>` with everything that a report reads: configuration, environment, metrics, log,
/// skipped utterances, and, when fine-tuning, the sets "test" and "test@babble_0dB" with their
/// worst utterances.
void make_run(const std::filesystem::path& folder, const RunOptions& options = {});

void write(const std::filesystem::path& file, const std::string& content);

}  // namespace raven::report
