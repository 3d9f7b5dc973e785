#include "raven/data/contact_sheet.h"

#include <gtest/gtest.h>

namespace raven::data {
namespace {

constexpr std::int64_t kSide = 20, kCell = kSide + 3;
constexpr std::int64_t kTitle = 10;              // pixels of a line of text
constexpr std::int64_t kTop = 6 + 4 * kTitle;    // below a legend of four lines
constexpr std::int64_t kFrames = kTop + kTitle;  // where the first clip's frames start
constexpr std::int64_t kStrip = kFrames + kSide + 2;
const ContactSheetOptions kOne{.rows = 1, .columns = 6, .how = "as trained on"};

Batch two_clips() {
  Batch batch;
  batch.ids = {"a/1", "b/2"};
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
  const auto picture =
      pixels_of(contact_sheet(batches, {.rows = 5, .columns = 6, .how = "as trained on"}));
  EXPECT_EQ(picture.size(1), 420);  // as the legend needs
  EXPECT_EQ(pixels_of(contact_sheet(batches, {.rows = 5, .columns = 30})).size(1), 3 + 30 * kCell);
  const auto middle = kFrames + kSide / 2;
  EXPECT_EQ(colour(picture, middle, 3 + kSide / 2), (std::vector<int>{90, 90, 90}));
  EXPECT_EQ(colour(picture, middle, 3 + kCell + kSide / 2),
            (std::vector<int>{30, 30, 30}));  // hidden
  const auto frame = colour(picture, kFrames, 3 + kCell);
  EXPECT_GT(frame[0], 2 * frame[1]);  // red
  const auto strip = kStrip;
  const auto heard = colour(picture, strip, 3 + kSide / 2),
             unheard = colour(picture, strip, 3 + 2 * kCell + kSide / 2);
  EXPECT_GT(heard[1], heard[0]);
  EXPECT_GT(unheard[0], unheard[1]);
}

TEST(ContactSheet, ShowsGreyThatIsNotRounded) {
  auto batch = two_clips();
  const auto of_bytes = pixels_of(contact_sheet(std::vector<Batch>{batch}, kOne));
  batch.video = torch::full({2, 6, kSide, kSide}, 89.6F);
  EXPECT_TRUE(torch::equal(pixels_of(contact_sheet(std::vector<Batch>{batch}, kOne)), of_bytes));
}

TEST(ContactSheet, LeavesOutWhatIsBeyondTheEndAndBeyondTheRows) {
  const std::vector<Batch> batches = {two_clips(), two_clips()};
  const auto three =
      pixels_of(contact_sheet(batches, {.rows = 3, .columns = 6, .how = "as trained on"}));
  const auto one = pixels_of(contact_sheet(batches, kOne));
  const auto clip_height = one.size(0) - kTop;
  EXPECT_EQ(three.size(0), kTop + 3 * clip_height);
  const auto second = kFrames + clip_height + kSide / 2;
  EXPECT_EQ(colour(three, second, 3 + kSide / 2), (std::vector<int>{90, 90, 90}));
  EXPECT_EQ(colour(three, second, 3 + 3 * kCell), colour(three, 0, 0));  // only two frames
}

/// Pixels that text is drawn in.
std::int64_t ink(const torch::Tensor& picture, std::int64_t top, std::int64_t height) {
  const auto part = picture.narrow(0, top, height);
  return (part.select(2, 0) == 200).sum().item<std::int64_t>();
}

TEST(ContactSheet, ShowsNoMasksWhereNoneAreDrawn) {
  auto batch = two_clips();
  batch.masked_video = batch.masked_audio = torch::Tensor();
  const std::vector<Batch> batches = {batch};
  const auto picture = pixels_of(contact_sheet(batches, kOne));
  const auto top = kFrames - kTitle;  // the legend has a line less
  EXPECT_EQ(colour(picture, top + kSide / 2, 3 + kCell + kSide / 2),
            (std::vector<int>{90, 90, 90}));
  EXPECT_EQ(colour(picture, top + kSide + 2, 3 + kSide / 2), colour(picture, 0, 0));
}

TEST(ContactSheet, SaysWhatItShows) {
  auto batch = two_clips();
  const std::vector<Batch> batches = {batch};
  const auto picture = pixels_of(contact_sheet(batches, kOne));
  for (std::int64_t line = 0; line < 4; ++line)
    EXPECT_GT(ink(picture, 3 + line * kTitle, kTitle), 100) << line;
  EXPECT_GT(ink(picture, kTop, kTitle), 100);
  auto other = batch;
  other.ids[0] = "a/2";
  const std::vector<Batch> others = {other};
  const auto differing = pixels_of(contact_sheet(others, kOne));
  EXPECT_FALSE(torch::equal(picture.narrow(0, kTop, kTitle), differing.narrow(0, kTop, kTitle)));
  EXPECT_TRUE(torch::equal(picture.narrow(0, kFrames, kSide), differing.narrow(0, kFrames, kSide)));
  other.ids[0] = std::string(1000, 'x');  // wider than the picture
  const std::vector<Batch> wide = {other};
  EXPECT_NO_THROW((void)contact_sheet(wide, kOne));
}

TEST(ContactSheet, SaysWhatAnUtteranceLacks) {
  auto options = kOne;
  const std::vector<Batch> batches = {two_clips()};
  options.found["a/1"] = {.video = false, .audio = true};
  const auto heard = pixels_of(contact_sheet(batches, options));
  EXPECT_EQ(colour(heard, kFrames, 3), colour(heard, 0, 0));
  EXPECT_GT(ink(heard, kFrames, kSide), 20);
  EXPECT_GT(colour(heard, kStrip, 3)[1], 100);
  options.found["a/1"] = {.video = true, .audio = false};
  const auto seen = pixels_of(contact_sheet(batches, options));
  EXPECT_EQ(colour(seen, kFrames + kSide / 2, 3 + kSide / 2), (std::vector<int>{90, 90, 90}));
  EXPECT_EQ(colour(seen, kStrip, 3), colour(seen, 0, 0));
  EXPECT_GT(ink(seen, kStrip, 40), 20);
}

}  // namespace
}  // namespace raven::data
