// What made the hypotheses of a set: which weights, and how they were searched.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace raven::evaluation {

/// Results of another recognizer, list, noise or other settings of the search that a folder holds:
/// replaced, with a warning, or refused.
enum class OtherResults { kReplace, kRefuse };

struct DecodedWith {
  std::string weights;                   // the file, or the checkpoint's folder, that was read
  std::string checksum;                  // of that file of weights, xxh3
  std::optional<std::int64_t> step;      // of its run that they were made at; empty: not told
  std::optional<std::int64_t> steps;     // of its run then; empty: not told
  std::optional<std::int64_t> averaged;  // checkpoints that they are the mean of
  std::string best_by = {};              // of the best evaluation, by that; empty: they are not
  std::map<std::string, std::string> search;  // "decode.beam_size" -> "40"

  /// Of the run that made them; empty where it is not told. The best weights of a run are chosen at
  /// its end.
  [[nodiscard]] std::optional<bool> is_finished() const {
    if (!best_by.empty()) return true;
    return step && steps ? std::optional(*step >= *steps) : std::nullopt;
  }
};

/// "runs/vsr/checkpoints/step_00000012: step 12 of 24, the run is not finished".
std::string to_text(const DecodedWith& with);

}  // namespace raven::evaluation
