// Many sentences of units, in little memory.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace raven::text {

/// Unit ids of sentences, one after another.
class Sentences {
 public:
  void add(std::span<const std::int64_t> units) {
    for (const auto unit : units) units_.push_back(static_cast<std::int32_t>(unit));
    ends_.push_back(units_.size());
  }

  [[nodiscard]] std::int64_t size() const { return std::ssize(ends_); }
  [[nodiscard]] std::int64_t num_units() const { return std::ssize(units_); }
  [[nodiscard]] std::span<const std::int32_t> operator[](std::int64_t i) const {
    const auto at = static_cast<std::size_t>(i);
    const auto begin = at == 0 ? 0 : ends_[at - 1];
    return std::span(units_).subspan(begin, ends_[at] - begin);
  }
  /// All units without the bounds between sentences.
  [[nodiscard]] std::span<const std::int32_t> units() const { return units_; }

 private:
  std::vector<std::int32_t> units_;
  std::vector<std::size_t> ends_;
};

}  // namespace raven::text
