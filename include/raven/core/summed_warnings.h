// Many warnings of one kind as a few lines and a sum.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace raven {

/// Of each kind the first five warnings are told as they come, the others by finish() in one line.
/// For one thread at a time.
class SummedWarnings {
 public:
  static constexpr std::int64_t kShown = 5;

  /// `where_all`: what the line of the others ends with, such as where they are listed.
  explicit SummedWarnings(std::string where_all = "") : where_all_(std::move(where_all)) {}
  ~SummedWarnings() { finish(); }
  SummedWarnings(const SummedWarnings&) = delete;
  SummedWarnings& operator=(const SummedWarnings&) = delete;

  void warn(const std::string& kind, const std::string& message);
  /// Tells the sums of those that were not told, and counts them as told.
  void finish();

 private:
  std::string where_all_;
  std::map<std::string, std::int64_t> times_, untold_;  // by kind
};

}  // namespace raven
