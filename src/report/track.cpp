#include "report/track.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace raven::report {
namespace {

Bucket merged(const Bucket& a, const Bucket& b) {
  return {.first_step = a.first_step,
          .last_step = b.last_step,
          .sum = a.sum + b.sum,
          .lowest = std::min(a.lowest, b.lowest),
          .highest = std::max(a.highest, b.highest),
          .count = a.count + b.count};
}

}  // namespace

bool Track::add(double step, double value) {
  constexpr double kLargestStep = 1e15, kLargestValue = 1e100;  // beyond: no measurement
  if (!(std::abs(step) <= kLargestStep) || !(std::abs(value) <= kLargestValue)) return false;
  if (count_ > 0 && step <= last_.step) return false;
  last_ = {step, value};
  if (count_ == 0) first_ = lowest_ = highest_ = last_;
  if (value < lowest_.value) lowest_ = last_;
  if (value > highest_.value) highest_ = last_;
  ++count_;
  const Bucket single{.first_step = step,
                      .last_step = step,
                      .sum = value,
                      .lowest = value,
                      .highest = value,
                      .count = 1};
  if (!buckets_.empty() && buckets_.back().count < stride_) {
    buckets_.back() = merged(buckets_.back(), single);
    return true;
  }
  if (buckets_.size() >= max_buckets_) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < buckets_.size(); i += 2, ++kept) {
      buckets_[kept] = i + 1 < buckets_.size() ? merged(buckets_[i], buckets_[i + 1]) : buckets_[i];
    }
    buckets_.resize(kept);
    stride_ *= 2;
    if (buckets_.back().count < stride_) {
      buckets_.back() = merged(buckets_.back(), single);
      return true;
    }
  }
  buckets_.push_back(single);
  return true;
}

Track Track::mean_of(const std::vector<const Track*>& tracks) {
  std::map<double, Bucket> at;
  for (const auto* track : tracks) {
    for (const auto& bucket : track->buckets()) {
      const Bucket value{.first_step = bucket.first_step,
                         .last_step = bucket.last_step,
                         .sum = bucket.mean(),
                         .lowest = bucket.lowest,
                         .highest = bucket.highest,
                         .count = 1};
      const auto [found, is_new] = at.emplace(bucket.step(), value);
      if (!is_new) found->second = merged(found->second, value);
    }
  }
  Track all;
  for (const auto& [step, bucket] : at) {
    all.buckets_.push_back(bucket);
    all.last_ = {step, bucket.mean()};
    if (all.count_++ == 0) all.first_ = all.lowest_ = all.highest_ = all.last_;
    if (all.last_.value < all.lowest_.value) all.lowest_ = all.last_;
    if (all.last_.value > all.highest_.value) all.highest_ = all.last_;
  }
  return all;
}

double Track::mean(double begin, double end) const {
  const auto size = static_cast<double>(buckets_.size());
  const auto from = std::min(static_cast<std::size_t>(begin * size), buckets_.size() - 1);
  const auto to = std::max(static_cast<std::size_t>(std::ceil(end * size)), from + 1);
  Bucket all = buckets_.at(from);
  for (auto i = from + 1; i < std::min(to, buckets_.size()); ++i) all = merged(all, buckets_[i]);
  return all.mean();
}

}  // namespace raven::report
