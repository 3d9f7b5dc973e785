// Crops with published grey against OpenCV's and the published script's, on real recordings. These
// are not in the repository; RAVEN_REAL_DIR names a folder that has them
// (tests/parity/data/README.md).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "raven/core/files.h"
#include "raven/core/sha256.h"
#include "raven/corpus/clip_preparation.h"
#include "raven/corpus/mouth_crop.h"
#include "raven/corpus/npy.h"
#include "support/npz.h"
#include "support/parity.h"

namespace raven::corpus {
namespace {

// The published code computes in the landmarks' float32, so that few pixels come out otherwise.
constexpr double kDiffering = 0.0005;  // share of pixels
constexpr double kMost = 3;            // grey levels
constexpr double kMean = 0.01;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// Crops of a recording as `raven prepare --grey published --format raw` stores them.
std::vector<double> prepared(const std::string& clip, std::string& stored) {
  const auto grid = parity::real_folder() / "grid";
  const auto done = prepare_clip({.video = grid / "originals" / (clip + ".mpg"),
                                  .landmarks = grid / "landmarks" / (clip + ".npy")},
                                 {.format = StorageFormat::kRaw, .grey = Grey::kPublished});
  EXPECT_EQ(done.verdict, "ok") << done.message;
  stored = done.utterances.at(0).video;
  return npy_as_doubles(parse_npy(bytes_of(stored), clip), clip);
}

TEST(PublishedGrey, CropsAreThoseOfThePublishedScript) {
  const auto list = parity::real_path("grid/published_grey.json");
  const auto arrays = read_npz(read_file(parity::real_path("grid/published_grey.npz"), 1ULL << 30));
  const auto golden = nlohmann::json::parse(read_file(list, 1ULL << 20));
  ASSERT_FALSE(golden.at("clips").empty());
  double sum = 0, pixels = 0, differing = 0;
  for (const auto& about : golden.at("clips")) {
    const auto name = about.at("clip").get<std::string>();
    auto key = name;
    std::replace(key.begin(), key.end(), '/', '_');
    const auto& array = arrays.at(key);
    const auto expected = npy_as_doubles(parse_npy(bytes_of(array), key), key);
    std::string stored;
    const auto found = prepared(name, stored);
    constexpr auto kPixels = static_cast<std::size_t>(kCropSize) * kCropSize;
    const auto frames = about.at("frames").get<std::size_t>();
    ASSERT_EQ(found.size(), frames * kPixels) << name;
    ASSERT_EQ(expected.size(), 3 * kPixels) << name;
    const std::size_t shown[] = {0, frames / 2, frames - 1};
    for (std::size_t k = 0; k < expected.size(); ++k, ++pixels) {
      const auto difference = found[shown[k / kPixels] * kPixels + k % kPixels] - expected[k];
      EXPECT_LE(std::fabs(difference), kMost) << name << ", frame " << shown[k / kPixels];
      sum += difference;
      differing += difference != 0 ? 1 : 0;
    }
    const auto view = parse_npy(bytes_of(stored), name);
    const std::string levels(reinterpret_cast<const char*>(view.data.data()), view.data.size());
    std::printf("%s: all frames %s\n", name.c_str(),
                sha256(levels) == about.at("sha256_of_grey") ? "equal" : "not all equal");
  }
  std::printf("%.5f %% of %.0f pixels differ, mean difference %.6f\n", 100 * differing / pixels,
              pixels, sum / pixels);
  EXPECT_LE(differing, kDiffering * pixels);
  EXPECT_LT(std::fabs(sum / pixels), kMean);
}

}  // namespace
}  // namespace raven::corpus
