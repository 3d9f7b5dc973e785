// The mouth crop against the published script's results: bit for bit.
#include "raven/corpus/mouth_crop.h"

#include <gtest/gtest.h>

#include "raven/corpus/landmarks.h"
#include "raven/corpus/npy.h"
#include "raven/weights/safetensors.h"
#include "support/parity.h"

namespace raven::corpus {
namespace {

constexpr double kDigits = 1e-6;     // of mouth centres, in pixels
constexpr double kMatrix = 1e-4;     // docs/method.md, section 7
constexpr double kMeanFace = 1e-12;  // both sides have all digits

/// One of the golden clips, with its landmarks read from an .npy file as the program reads them.
struct GoldenClip {
  explicit GoldenClip(const nlohmann::json& clip)
      : about(clip),
        name(clip.at("name").get<std::string>()),
        frames(tensors().at(name + ".frames")),
        crops(tensors().at(name + ".crops")),
        matrices(tensors().at(name + ".matrices")) {
    const auto points = tensors().at(name + ".landmarks").contiguous();
    const auto file =
        npy_bytes(points.scalar_type() == torch::kFloat64 ? "<f8" : "<f4", points.sizes().vec(),
                  {static_cast<const std::byte*>(points.data_ptr()), points.nbytes()});
    const auto faces = read_landmarks(file, name);
    for (std::int64_t t = 0; t < faces.count; ++t) {
      if (!is_missing(faces.at(t))) detected.push_back(t);
    }
    landmarks = fill_gaps(faces, detected);
    plan = plan_mouth_crops(landmarks, num_crops());
  }

  static const weights::TensorFile& tensors() {
    static const auto file = weights::read_safetensors(parity::path("mouth_crop.safetensors"));
    return file;
  }

  /// One for each frame that has landmarks.
  [[nodiscard]] std::int64_t num_crops() const {
    return std::min<std::int64_t>(frames.size(0), landmarks.count);
  }

  nlohmann::json about;
  std::string name;
  torch::Tensor frames, crops, matrices;
  Faces landmarks;  // gaps filled
  std::vector<std::int64_t> detected;
  std::vector<MouthCrop> plan;
};

std::vector<GoldenClip> golden_clips() {
  std::vector<GoldenClip> clips;
  const auto golden = parity::json("mouth_crop.json");
  for (const auto& clip : golden.at("clips")) clips.emplace_back(clip);
  if (clips.empty()) throw std::runtime_error("mouth_crop.json lists no clips");
  return clips;
}

TEST(MouthCropParity, CropsAreThePublishedOnes) {
  for (const auto& clip : golden_clips()) {
    const auto channels = clip.frames.dim() == 4 ? clip.frames.size(3) : 1;
    const auto height = clip.frames.size(1), width = clip.frames.size(2);
    ASSERT_EQ(clip.crops.size(0), clip.num_crops()) << clip.name;
    auto found = torch::empty_like(clip.crops);
    const auto crop_bytes = found[0].numel();
    for (std::int64_t t = 0; t < clip.num_crops(); ++t) {
      crop_mouth({clip.frames[t].const_data_ptr<std::uint8_t>(), height, width, channels,
                  width * channels},
                 clip.plan[static_cast<std::size_t>(t)],
                 {found.mutable_data_ptr<std::uint8_t>() + t * crop_bytes,
                  static_cast<std::size_t>(crop_bytes)});
    }
    EXPECT_EQ(found.ne(clip.crops).sum().item<std::int64_t>(), 0)
        << clip.name << ": pixels that differ";
  }
}

TEST(MouthCropParity, MatricesAndMouthCentresAreThePublishedOnes) {
  for (const auto& clip : golden_clips()) {
    const auto& points_used = clip.about.at("points_used");
    ASSERT_EQ(points_used.size(), clip.plan.size()) << clip.name;
    for (std::size_t t = 0; t < clip.plan.size(); ++t) {
      const auto& crop = clip.plan[t];
      const auto& m = crop.to_mean_face;
      const double found[] = {m.cos_part, -m.sin_part, m.shift_x,
                              m.sin_part, m.cos_part,  m.shift_y};
      const auto wanted = clip.matrices[static_cast<std::int64_t>(t)].contiguous();
      for (std::int64_t i = 0; i < 6; ++i) {
        EXPECT_NEAR(found[i], wanted.const_data_ptr<double>()[i], kMatrix)
            << clip.name << " frame " << t;
      }
      const auto& centre = clip.about.at("mouth_centres").at(t);
      const auto x = centre.at(0).get<double>(), y = centre.at(1).get<double>();
      EXPECT_NEAR(crop.mouth_centre.x, x, kDigits + parity::rounding(x))
          << clip.name << " frame " << t;
      EXPECT_NEAR(crop.mouth_centre.y, y, kDigits + parity::rounding(y))
          << clip.name << " frame " << t;
      EXPECT_EQ(crop.points_used, points_used.at(t).get<int>()) << clip.name << " frame " << t;
    }
  }
}

TEST(MouthCropParity, FillsTheFramesWithoutAFace) {
  for (const auto& clip : golden_clips()) {
    EXPECT_EQ(clip.landmarks.count - std::ssize(clip.detected),
              static_cast<std::int64_t>(clip.about.at("missing").size()))
        << clip.name;
  }
}

TEST(MouthCropParity, WindowsAreThePublishedOnes) {
  const auto windows = parity::json("mouth_crop.json").at("windows");
  ASSERT_FALSE(windows.empty());
  for (const auto& window : windows) {
    const auto found =
        crop_window({.x = window.at(1).get<double>(), .y = window.at(0).get<double>()});
    EXPECT_EQ(found.row, window.at(2).get<int>()) << window;
    EXPECT_EQ(found.column, window.at(3).get<int>()) << window;
  }
}

TEST(MouthCropParity, MeanFaceIsThePublishedOne) {
  const auto golden = parity::json("mean_face.json");
  const auto& points = golden.at("points");
  ASSERT_EQ(points.size(), kNumFacePoints);
  for (std::size_t i = 0; i < kNumFacePoints; ++i) {
    const auto x = points.at(i).at(0).get<double>(), y = points.at(i).at(1).get<double>();
    EXPECT_NEAR(mean_face()[i].x, x, kMeanFace + parity::rounding(x)) << i;
    EXPECT_NEAR(mean_face()[i].y, y, kMeanFace + parity::rounding(y)) << i;
  }
  const auto& stable = golden.at("stable_points");
  ASSERT_EQ(stable.size(), kStablePoints.size());
  for (std::size_t i = 0; i < stable.size(); ++i) {
    EXPECT_EQ(stable.at(i).get<std::size_t>(), kStablePoints[i]);
  }
}

}  // namespace
}  // namespace raven::corpus
