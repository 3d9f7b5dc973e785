#include "raven/data/contact_sheet.h"

#include <gtest/gtest.h>

namespace raven::data {
namespace {

constexpr std::int64_t kSide = 20, kCell = kSide + 3;

Batch two_clips() {
  Batch batch;
  batch.video = torch::full({2, 6, kSide, kSide}, 90, torch::kUInt8);
  batch.audio = torch::zeros({2, 6 * 640});
  batch.lengths = torch::tensor({6, 2}, torch::kInt64);
  batch.masked_video = torch::zeros({2, 6}, torch::kBool);
  batch.masked_audio = torch::zeros({2, 6}, torch::kBool);
  batch.masked_video[0][1] = true;
  batch.masked_audio[0][2] = true;
  return batch;
}

torch::Tensor pixels_of(const Picture& picture) {
  return torch::tensor(at::ArrayRef<std::uint8_t>(picture.pixels), torch::kUInt8)
      .view({picture.height, picture.width, 3});
}

std::vector<int> colour(const torch::Tensor& picture, std::int64_t y, std::int64_t x) {
  return {picture[y][x][0].item<int>(), picture[y][x][1].item<int>(), picture[y][x][2].item<int>()};
}

TEST(ContactSheet, ShowsFramesMasksAndSound) {
  const std::vector<Batch> batches = {two_clips()};
  const auto picture = pixels_of(contact_sheet(batches, {.rows = 5, .columns = 6}));
  EXPECT_EQ(picture.size(1), 3 + 6 * kCell);
  const auto middle = 3 + kSide / 2;
  EXPECT_EQ(colour(picture, middle, 3 + kSide / 2), (std::vector<int>{90, 90, 90}));
  EXPECT_EQ(colour(picture, middle, 3 + kCell + kSide / 2),
            (std::vector<int>{30, 30, 30}));  // hidden
  const auto frame = colour(picture, 3, 3 + kCell);
  EXPECT_GT(frame[0], 2 * frame[1]);  // red
  const auto strip = 3 + kSide + 2;
  const auto heard = colour(picture, strip, 3 + kSide / 2),
             unheard = colour(picture, strip, 3 + 2 * kCell + kSide / 2);
  EXPECT_GT(heard[1], heard[0]);
  EXPECT_GT(unheard[0], unheard[1]);
}

TEST(ContactSheet, LeavesOutWhatIsBeyondTheEndAndBeyondTheRows) {
  const std::vector<Batch> batches = {two_clips(), two_clips()};
  const auto three = pixels_of(contact_sheet(batches, {.rows = 3, .columns = 6}));
  const auto one = pixels_of(contact_sheet(batches, {.rows = 1, .columns = 6}));
  const auto clip_height = one.size(0) - 3;
  EXPECT_EQ(three.size(0), 3 + 3 * clip_height);
  const auto second = 3 + clip_height + kSide / 2;
  EXPECT_EQ(colour(three, second, 3 + kSide / 2), (std::vector<int>{90, 90, 90}));
  EXPECT_EQ(colour(three, second, 3 + 3 * kCell), colour(three, 0, 0));  // only two frames
}

TEST(ContactSheet, WorksWithoutMasks) {
  auto batch = two_clips();
  batch.masked_video = batch.masked_audio = torch::Tensor();
  const std::vector<Batch> batches = {batch};
  const auto picture = pixels_of(contact_sheet(batches, {.rows = 1, .columns = 2}));
  EXPECT_EQ(colour(picture, 3, 3), (std::vector<int>{90, 90, 90}));
}

}  // namespace
}  // namespace raven::data
