// A curve of any length in little room: neighbouring points are merged when there are too many.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace raven::report {

struct Point {
  double step = 0, value = 0;
};

/// Points that were merged: their mean, and how far they spread.
struct Bucket {
  double first_step = 0, last_step = 0;
  double sum = 0, lowest = 0, highest = 0;
  std::int64_t count = 0;

  [[nodiscard]] double step() const { return (first_step + last_step) / 2; }
  [[nodiscard]] double mean() const { return sum / static_cast<double>(count); }
};

/// Values of one number over steps.
class Track {
 public:
  explicit Track(std::size_t max_buckets = 600) : max_buckets_(max_buckets) {}

  /// A value of plausible size (finite, up to 1e100) at a step above that of the last point; other
  /// points are refused: false.
  bool add(double step, double value);

  /// Of several curves the mean at each step, with the lowest and the highest beside it; of those
  /// that have a value there. first(), last(), lowest() and highest() are of the means.
  static Track mean_of(const std::vector<const Track*>& tracks);

  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] const std::vector<Bucket>& buckets() const { return buckets_; }
  /// More than one point in a bucket.
  [[nodiscard]] bool thinned() const { return stride_ > 1; }

  // Of all points, exactly.
  [[nodiscard]] Point first() const { return first_; }
  [[nodiscard]] Point last() const { return last_; }
  [[nodiscard]] Point lowest() const { return lowest_; }
  [[nodiscard]] Point highest() const { return highest_; }

  /// Mean over the points from share `begin` to share `end` of them, 0 to 1.
  [[nodiscard]] double mean(double begin, double end) const;

 private:
  std::size_t max_buckets_;
  std::vector<Bucket> buckets_;
  std::int64_t stride_ = 1, count_ = 0;  // points to a bucket
  Point first_, last_, lowest_, highest_;
};

}  // namespace raven::report
