// Video and audio transforms against the published ones.
#include "raven/data/transforms.h"

#include <gtest/gtest.h>

#include <cmath>

#include "raven/data/sample.h"
#include "raven/media/audio_reader.h"
#include "support/formula.h"
#include "support/parity.h"
#include "support/parity_tensors.h"
#include "support/tolerance.h"

namespace raven::data {
namespace {

constexpr double kPixel = 1e-6;   // tests/parity/data/README.md
constexpr double kDigits = 1e-7;  // relative, of sums written with 9 digits over float32 values

/// The clip that all cases cut from, (3, T, 96, 96) uint8: floor(256 u).
torch::Tensor golden_clip(const nlohmann::json& about) {
  const auto shape = about.at("shape").get<std::vector<std::int64_t>>();
  auto clip = torch::empty(shape, torch::kUInt8);
  const auto hash = formula::fnv1a64(about.at("name").get<std::string>());
  auto* out = clip.data_ptr<std::uint8_t>();
  for (std::int64_t k = 0; k < clip.numel(); ++k) {
    out[k] = static_cast<std::uint8_t>(256 * formula::uniform(hash, static_cast<std::uint64_t>(k)));
  }
  return clip;
}

Placement placement_of(const nlohmann::json& example) {
  return {.top = example.at("top").get<std::int64_t>(),
          .left = example.at("left").get<std::int64_t>(),
          .flip = example.at("flip").get<bool>()};
}

/// Sums and ends of a case, and its first frames where `tensors` has them; counts those.
void expect_golden(const torch::Tensor& found, const nlohmann::json& example,
                   const weights::TensorFile& frames_by_key, std::size_t& with_frames) {
  const auto key = example.at("key").get<std::string>();
  ASSERT_EQ(found.sizes().vec(), example.at("shape").get<std::vector<std::int64_t>>()) << key;
  for (const auto& [name, frames] : frames_by_key.tensors) {
    if (name != key) continue;
    EXPECT_LE(tolerance::distance(found.narrow(0, 0, frames.size(0)), frames), kPixel) << key;
    ++with_frames;
  }
  const auto exact = found.to(torch::kFloat64);
  const auto sum_of_squares = example.at("sum_of_squares").get<double>();
  EXPECT_NEAR(exact.sum().item<double>(), example.at("sum").get<double>(), kDigits * sum_of_squares)
      << key;
  EXPECT_NEAR(exact.square().sum().item<double>(), sum_of_squares, 10 * kDigits * sum_of_squares)
      << key;
  const auto flat = found.flatten();
  const auto first = example.at("first").get<std::vector<double>>(),
             last = example.at("last").get<std::vector<double>>();
  for (std::size_t k = 0; k < first.size(); ++k) {
    EXPECT_NEAR(flat[static_cast<std::int64_t>(k)].item<double>(), first[k], kPixel) << key;
    EXPECT_NEAR(flat[flat.size(0) - static_cast<std::int64_t>(last.size() - k)].item<double>(),
                last[k], kPixel)
        << key;
  }
}

TEST(TransformsParity, VideoTransformIsThePublishedOne) {
  const auto golden = parity::json("transforms.json");
  const auto tensors = parity::tensors("transforms.safetensors");
  const auto clip = golden_clip(golden.at("clip"));
  std::size_t compared = 0;
  for (const auto& example : golden.at("clips")) {
    const auto input = example.at("colour").get<bool>() ? clip : clip.narrow(0, 0, 1);
    const auto crop = example.at("shape").at(1).get<std::int64_t>();
    expect_golden(published_video(input, placement_of(example), crop), example, tensors, compared);
  }
  EXPECT_GT(compared, 0U);
}

TEST(TransformsParity, WhatTheLoaderCutsAndTheDeviceNormalisesIsTheSame) {
  const auto golden = parity::json("transforms.json");
  const auto tensors = parity::tensors("transforms.safetensors");
  const auto grey = golden_clip(golden.at("clip"))[0].contiguous();  // (T, 96, 96)
  std::size_t compared = 0;
  for (const auto& example : golden.at("clips")) {
    if (example.at("colour").get<bool>()) continue;
    const FrameCutter cutter({.crop = example.at("shape").at(1).get<std::int64_t>()},
                             placement_of(example));
    auto cut = torch::empty({grey.size(0), cutter.side(), cutter.side()}, torch::kUInt8);
    for (std::int64_t t = 0; t < grey.size(0); ++t) {
      cutter.cut(grey[t].data_ptr<std::uint8_t>(), grey.size(2), cut[t].data_ptr<std::uint8_t>());
    }
    expect_golden(normalise_video(cut), example, tensors, compared);
  }
  EXPECT_GT(compared, 0U);
}

TEST(TransformsParity, CropsInColourBecomeTheSameOnTheirWayThroughTheLoader) {
  const auto golden = parity::json("transforms.json");
  const auto tensors = parity::tensors("transforms.safetensors");
  const auto colour = golden_clip(golden.at("clip")).permute({1, 2, 3, 0}).contiguous();
  std::size_t compared = 0;  // (T, 96, 96, 3)
  for (const auto& example : golden.at("clips")) {
    if (!example.at("colour").get<bool>()) continue;
    const FrameCutter cutter({.crop = example.at("shape").at(1).get<std::int64_t>()},
                             placement_of(example));
    auto cut = torch::empty({colour.size(0), cutter.side(), cutter.side()}, torch::kFloat32);
    for (std::int64_t t = 0; t < colour.size(0); ++t) {
      cutter.cut_colour(colour[t].data_ptr<std::uint8_t>(), 3 * colour.size(2),
                        cut[t].data_ptr<float>());
    }
    expect_golden(normalise_video(cut), example, tensors, compared);
  }
  EXPECT_GT(compared, 0U);
}

TEST(TransformsParity, AdaptiveTimeMasksAreThePublishedOnes) {
  const auto golden = parity::json("transforms.json");
  ASSERT_FALSE(golden.at("masks").empty());
  for (const auto& example : golden.at("masks")) {
    const auto number = [&](const char* key) { return example.at(key).get<std::int64_t>(); };
    std::vector<std::int64_t> draws, ranges;
    for (const auto& pair : example.at("integers")) {
      for (const auto& integer : pair) {
        draws.push_back(integer.get<std::int64_t>());
        ranges.push_back(number("window"));
      }
    }
    for (const auto& start : example.at("starts")) draws.push_back(start.get<std::int64_t>());
    for (const auto& range : example.at("start_ranges"))
      ranges.push_back(range.get<std::int64_t>());
    std::size_t drawn = 0;
    const auto runs = adaptive_time_masks(number("length"), number("window"), number("stride"),
                                          [&](std::int64_t n) {
                                            EXPECT_EQ(n, ranges.at(drawn));
                                            return draws.at(drawn++);
                                          });
    EXPECT_EQ(drawn, draws.size());
    std::vector<std::vector<std::int64_t>> zeroed;
    for (const auto& run : runs) zeroed.push_back({run.begin, run.end});
    EXPECT_EQ(zeroed, example.at("zeroed").get<std::vector<std::vector<std::int64_t>>>())
        << example.dump();
  }
}

TEST(TransformsParity, WaveformsAreCutOrPaddedAsPublished) {
  const auto golden = parity::json("transforms.json");
  ASSERT_FALSE(golden.at("cut_or_pad").empty());
  for (const auto& example : golden.at("cut_or_pad")) {
    const auto count = [&](const char* key) { return example.at(key).get<std::size_t>(); };
    std::vector<float> samples(count("samples"), 1.0F);
    media::fit_to_frames(samples, example.at("frames").get<std::int64_t>());
    ASSERT_EQ(samples.size(), count("kept") + count("zeros"));
    for (std::size_t k = 0; k < samples.size(); ++k)
      EXPECT_EQ(samples[k], k < count("kept") ? 1.0F : 0.0F) << k;
  }
}

}  // namespace
}  // namespace raven::data
