#include "media/joined_times.h"

#include <gtest/gtest.h>

namespace raven::media {
namespace {

constexpr AVRational kMs = {1, 1000};
constexpr int kVideo = 0, kAudio = 1;

/// Packets of 40 ms in both streams, `times` being those of the pictures; sound is 5 ms earlier.
class Pieces {
 public:
  explicit Pieces(bool may_jump_ahead = true) : finder_(kVideo, may_jump_ahead) {}

  Pieces& add(std::int64_t begin_ms, std::int64_t end_ms, bool with_sound = true) {
    for (auto time = begin_ms; time < end_ms; time += 40) {
      add_one(kVideo, time);
      if (with_sound) add_one(kAudio, time - 5);
    }
    return *this;
  }
  Pieces& add_one(int stream, std::int64_t time_ms) {
    const auto packet = new_packet();
    packet->stream_index = stream;
    packet->pts = packet->dts = time_ms;
    packet->duration = 40;
    finder_.add(*packet, kMs);
    return *this;
  }
  JoinedFile finish() { return finder_.finish(); }

 private:
  PieceFinder finder_;
};

TEST(PieceFinder, FindsNoneInOneRecording) {
  for (const auto end : {400, 4'000'000}) {
    const auto file = Pieces().add(7000, 7000 + end).finish();
    EXPECT_TRUE(file.pieces.empty());
    EXPECT_TRUE(file.strays.empty());
  }
  // A hole of nine seconds, and pictures out of order.
  const auto hole = Pieces().add(0, 2000).add(11'000, 12'000).add_one(kVideo, 11'700).finish();
  EXPECT_TRUE(hole.pieces.empty());
}

TEST(PieceFinder, MovesBothStreamsOfAPieceAlike) {
  const auto file = Pieces().add(1400, 3400).add(1400, 2400).add(90'000'000, 90'000'400).finish();
  ASSERT_EQ(file.pieces.size(), 2U);
  EXPECT_EQ(file.pieces[0].shift_us, 2'000'000);  // 3400 follows 1400
  EXPECT_EQ(file.pieces[0].first_packet, (std::map<int, std::int64_t>{{kVideo, 50}, {kAudio, 50}}));
  EXPECT_EQ(file.pieces[1].shift_us, (4400 - 90'000'000) * 1000LL);
  EXPECT_EQ(file.pieces[1].first_packet, (std::map<int, std::int64_t>{{kVideo, 75}, {kAudio, 75}}));
}

TEST(PieceFinder, TakesALongStepForAHoleWhereTimesAreNotBroadcast) {
  EXPECT_TRUE(Pieces(false).add(0, 1000).add(60'000, 61'000).finish().pieces.empty());
  EXPECT_EQ(Pieces(false).add(5000, 6000).add(0, 1000).finish().pieces.size(), 1U);
  Pieces slides(false);  // a picture every 20 seconds
  for (int time = 0; time < 200'000; time += 20'000) slides.add_one(kVideo, time);
  const auto file = slides.finish();
  EXPECT_TRUE(file.pieces.empty());
  EXPECT_TRUE(file.strays.empty());
}

TEST(PieceFinder, KnowsASingleWrongTime) {
  for (const std::int64_t wrong : {-50'000, 90'000'000}) {
    const auto file = Pieces().add(0, 2000).add_one(kVideo, wrong).add(2000, 4000).finish();
    EXPECT_TRUE(file.pieces.empty()) << wrong;
    EXPECT_EQ(file.strays, (std::map<int, std::set<std::int64_t>>{{kVideo, {50}}})) << wrong;
  }
}

TEST(PieceFinder, GoesBySoundWhereAPieceHasNoPictures) {
  Pieces pieces;
  pieces.add(0, 1000);
  for (int time = -3000; time < -2000; time += 40) pieces.add_one(kAudio, time);
  const auto file = pieces.finish();
  ASSERT_EQ(file.pieces.size(), 1U);
  EXPECT_EQ(file.pieces[0].shift_us, 4'000'000);
}

TEST(PieceFinder, SurvivesTimesNearOverflow) {
  const auto file = Pieces()
                        .add(0, 400)
                        .add_one(kVideo, INT64_MAX)
                        .add_one(kVideo, INT64_MIN + 1)
                        .add(400, 800)
                        .finish();
  EXPECT_TRUE(file.pieces.empty());
}

TEST(JoinedTimes, AsksOnlyWhereTimesJump) {
  const auto packet = new_packet();
  JoinedTimes times;
  int asked = 0;
  const auto apply = [&](std::int64_t time) {
    packet->pts = packet->dts = time;
    times.apply(*packet, kMs, [&] {
      ++asked;
      return JoinedFile{.pieces = {{.first_packet = {{0, 3}}, .shift_us = 500'000}},
                        .strays = {{0, {4}}}};
    });
    return packet->pts;
  };
  EXPECT_EQ(apply(1000), 1000);
  EXPECT_EQ(apply(1040), 1040);
  EXPECT_EQ(apply(1080), 1080);
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(apply(0), 500);
  EXPECT_EQ(apply(99'000'000), AV_NOPTS_VALUE);
  EXPECT_EQ(apply(80), 580);
  EXPECT_EQ(asked, 1);
}

}  // namespace
}  // namespace raven::media
