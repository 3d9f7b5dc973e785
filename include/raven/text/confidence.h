// How far error rates can be trusted: resampling of utterances, and tests that pair two systems on
// the same utterances. Everything is a function of the counts and the seed.
#pragma once

#include <cstdint>
#include <span>

namespace raven::text {

struct UtteranceCount {
  std::int64_t words = 0, errors = 0;
};

struct Interval {
  double low = 0, high = 0;
};

struct BootstrapOptions {
  std::int64_t resamples = 1000;
  double level = 0.95;
  std::uint64_t seed = 1;
};

/// Percentile bootstrap of errors / words over utterances: as many utterances are drawn with
/// replacement as there are, `resamples` times; the ends are order statistics, so no value is made
/// up. nan for both without words.
Interval bootstrap_interval(std::span<const UtteranceCount> utterances,
                            const BootstrapOptions& options = {});

struct UtterancePair {
  std::int64_t words = 0, errors_a = 0, errors_b = 0;
};

/// Is b better than a on the same utterances? All p-values are two-sided.
struct PairedComparison {
  double difference = 0;  // rate of b minus rate of a; below 0: b is better
  Interval interval;      // of the difference, by paired bootstrap
  double p_bootstrap =
      1;  // twice the share of resamples on the smaller side of 0, counting one more
  double p_matched_pairs = 1;  // normal test of the mean difference of errors per utterance
                               // (MAPSSWE with utterances as segments)
  double p_sign = 1;           // exact sign test over utterances with different numbers of errors
  std::int64_t utterances = 0, better = 0,
               worse = 0;  // with fewer, with more errors in b than in a
};

PairedComparison compare_systems(std::span<const UtterancePair> pairs,
                                 const BootstrapOptions& options = {});

}  // namespace raven::text
