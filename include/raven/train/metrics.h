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
  /// sudden end, are dropped from `<run>/metrics.jsonl`, so no report and no evaluation of a
  /// step appears twice. `evaluation_due`: that at `step` is made now, and what a process that was
  /// killed wrote of it is dropped, too. The event files are told the same. Throws SystemError.
  Metrics(const std::filesystem::path& run, std::int64_t step, bool evaluation_due = false);

  /// Appends a line in one write, and the numbers to `<run>/tensorboard/`. `tag` is the group under
  /// which TensorBoard shows them ("train", "held_out"). Throws SystemError when the disk is full.
  void write(std::int64_t step, const std::string& tag, const Numbers& numbers);

  /// Everything written so far is on disk afterwards. Throws SystemError.
  void flush();

 private:
  void repeat_events(std::int64_t step);

  std::filesystem::path file_;
  bool is_named_on_disk_ = false;
  EventWriter events_;
};

}  // namespace raven::train
