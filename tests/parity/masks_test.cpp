// Statistics of the mask samplers against the published one's.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "raven/data/span_mask.h"
#include "support/parity.h"

namespace raven::data {
namespace {

constexpr double kSingleFrame = 0.04;  // tests/parity/data/README.md

/// Means over many batches of one case.
struct Statistics {
  double fraction = 0;            // masked share of real frames
  std::vector<double> first_row;  // how often each frame of the first row is masked
};

Statistics measure(const SpanOptions& options, const std::vector<std::int64_t>& lengths,
                   std::int64_t draws) {
  const auto num_frames = *std::max_element(lengths.begin(), lengths.end());
  const auto real =
      static_cast<double>(std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0}));
  Statistics statistics;
  statistics.first_row.resize(static_cast<std::size_t>(lengths[0]));
  for (std::int64_t draw = 0; draw < draws; ++draw) {
    std::vector<Random> streams;
    for (std::size_t b = 0; b < lengths.size(); ++b)
      streams.emplace_back(11, draw, b, Draw::kVideoMask);
    const auto masked = mask_rows(options, lengths, num_frames, streams);
    statistics.fraction +=
        std::accumulate(masked.begin(), masked.end(), 0.0) / real / static_cast<double>(draws);
    for (std::size_t t = 0; t < statistics.first_row.size(); ++t)
      statistics.first_row[t] += masked[t] / static_cast<double>(draws);
  }
  return statistics;
}

TEST(MasksParity, CoverAsMuchAsThePublishedSamplers) {
  const auto golden = parity::json("masks.json");
  std::size_t spans = 0, bernoulli = 0;
  const auto all_cases = parity::cases(golden);
  for (const auto& [name, example] : all_cases.items()) {
    const bool is_spans = example.at("kind") == "spans";
    const SpanOptions options{
        .sampler = is_spans ? config::MaskSampler::kSpans : config::MaskSampler::kBernoulliStart,
        .prob = example.at("prob").get<double>(),
        .length = example.at("length").get<std::int64_t>()};
    const auto lengths = example.at("lengths").get<std::vector<std::int64_t>>();
    const std::int64_t draws = 24000 / std::ssize(lengths);
    const auto found = measure(options, lengths, draws);
    double tolerance = 1e-6;
    const auto count = static_cast<double>(draws);
    if (is_spans) {
      tolerance += 5 * example.at("sd_of_one_batch").get<double>() *
                   std::sqrt(1 / example.at("draws").get<double>() + 1 / count);
      ++spans;
    } else {  // exact value: only our own noise, at most that of `length` frames masked together
      const auto frames = static_cast<double>(lengths[0]) / static_cast<double>(options.length);
      tolerance += 5 * 0.5 / std::sqrt(count * frames);
      ++bernoulli;
    }
    const auto fraction = example.at("mean_fraction").get<double>();
    EXPECT_NEAR(found.fraction, fraction, tolerance + parity::rounding(fraction)) << name;
    if (!is_spans) continue;
    const auto first = example.at("first_row_first_frames").get<std::vector<double>>();
    const auto last = example.at("first_row_last_frames").get<std::vector<double>>();
    for (std::size_t t = 0; t < first.size(); ++t)
      EXPECT_NEAR(found.first_row[t], first[t], kSingleFrame) << name << " frame " << t;
    for (std::size_t t = 0; t < last.size(); ++t) {
      EXPECT_NEAR(found.first_row[found.first_row.size() - last.size() + t], last[t], kSingleFrame)
          << name << " frame -" << last.size() - t;
    }
  }
  EXPECT_GT(spans, 0U);
  EXPECT_GT(bernoulli, 0U);
}

TEST(MasksParity, BernoulliStartsMaskEachFrameAsOftenAsTheFormulaSays) {
  const auto golden = parity::json("masks.json");
  const auto all_cases = parity::cases(golden);
  for (const auto& [name, example] : all_cases.items()) {
    if (example.at("kind") != "bernoulli_start") continue;
    const auto prob = example.at("prob").get<double>();
    const auto length = example.at("length").get<std::int64_t>();
    const auto found =
        measure({.sampler = config::MaskSampler::kBernoulliStart, .prob = prob, .length = length},
                example.at("lengths").get<std::vector<std::int64_t>>(), 4000);
    for (std::size_t t = 0; t < found.first_row.size(); ++t) {
      const auto chances = std::min<std::int64_t>(static_cast<std::int64_t>(t) + 1, length);
      EXPECT_NEAR(found.first_row[t], 1 - std::pow(1 - prob, static_cast<double>(chances)),
                  kSingleFrame)
          << name << " frame " << t;
    }
  }
}

}  // namespace
}  // namespace raven::data
