// Numbers of a run: metrics.jsonl, one JSON object per line and always with `step`, and event
// files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "raven/train/tensorboard.h"

namespace raven::train {

/// Numbers by name. In metrics.jsonl a number that is not finite becomes null.
using Numbers = std::map<std::string, double>;

/// Adds "<prefix>skipped", utterances that could not be used, and of these
/// "<prefix>skipped_<reason>".
void count_skipped(const std::map<std::string, std::int64_t>& by_reason, const std::string& prefix,
                   Numbers& numbers);

class Metrics {
 public:
  /// Continues a run at `step` (0: a new run): lines of later steps, and a last line cut short by a
  /// sudden end, are dropped from `<run>/metrics.jsonl`, so no step appears twice. Throws
  /// SystemError.
  Metrics(const std::filesystem::path& run, std::int64_t step);

  /// Appends a line in one write, and the numbers to `<run>/tensorboard/`. `tag` is the group under
  /// which TensorBoard shows them ("train", "valid"). Throws SystemError when the disk is full.
  void write(std::int64_t step, const std::string& tag, const Numbers& numbers);

 private:
  std::filesystem::path file_;
  EventWriter events_;
};

}  // namespace raven::train
