#include "media/joined_times.h"

#include <gtest/gtest.h>

#include "raven/core/error.h"

namespace raven::media {
namespace {

constexpr AVRational kMs = {1, 1000};
constexpr int kVideo = 0, kAudio = 1;

/// Packets of 40 ms in both streams, `times` being those of the pictures; sound is 5 ms earlier.
class Pieces {
 public:
  explicit Pieces(bool may_jump_ahead = true) : finder_(kVideo, may_jump_ahead, "clip") {}

  Pieces& add(std::int64_t begin_ms, std::int64_t end_ms, bool with_sound = true) {
    for (auto time = begin_ms; time < end_ms; time += 40) {
      add_one(kVideo, time);
      if (with_sound) add_one(kAudio, time - 5);
    }
    return *this;
  }
  Pieces& add_sound(std::int64_t begin_ms, std::int64_t end_ms) {
    for (auto time = begin_ms; time < end_ms; time += 40) add_one(kAudio, time - 5);
    return *this;
  }
  Pieces& add_one(int stream, std::int64_t time_ms, bool has_place = true) {
    const auto packet = new_packet();
    packet->stream_index = stream;
    packet->pts = packet->dts = time_ms;
    packet->duration = 40;
    packet->pos = has_place ? place_ += 100 : -1;
    finder_.add(*packet, kMs);
    return *this;
  }
  /// Where the next packet lies.
  Pieces& at(std::int64_t place) {
    place_ = place - 100;
    return *this;
  }
  JoinedFile finish() { return finder_.finish(); }

 private:
  PieceFinder finder_;
  std::int64_t place_ = 0;
};

using Shifts = std::vector<std::pair<std::int64_t, std::int64_t>>;
using Strays = std::vector<std::int64_t>;

/// Of one stream: the packets that pieces begin with, and by how much those are moved, in ms.
Shifts shifts(const JoinedFile& file, int stream) {
  Shifts list;
  if (const auto found = file.find(stream); found != file.end()) {
    for (const auto& [first, shift_us] : found->second.pieces)
      list.emplace_back(first, shift_us / 1000);
  }
  return list;
}

Strays strays(const JoinedFile& file, int stream) {
  const auto found = file.find(stream);
  return found == file.end() ? Strays() : found->second.strays;
}

void expect_nothing(const JoinedFile& file) {
  for (const int stream : {kVideo, kAudio}) {
    EXPECT_EQ(shifts(file, stream), Shifts()) << stream;
    EXPECT_EQ(strays(file, stream), Strays()) << stream;
  }
}

TEST(PieceFinder, FindsNoneInOneRecording) {
  for (const auto end : {400, 4'000'000}) expect_nothing(Pieces().add(7000, 7000 + end).finish());
  // A hole of nine seconds, and pictures out of order.
  expect_nothing(Pieces().add(0, 2000).add(11'000, 12'000).add_one(kVideo, 11'700).finish());
}

TEST(PieceFinder, MovesBothStreamsOfAPieceAlike) {
  const auto file = Pieces().add(1400, 3400).add(1400, 2400).add(90'000'000, 90'000'400).finish();
  const Shifts want = {{50, 2000}, {75, 4400 - 90'000'000}};  // 3400 follows 1400
  EXPECT_EQ(shifts(file, kVideo), want);
  EXPECT_EQ(shifts(file, kAudio), want);
}

TEST(PieceFinder, GoesByPlacesAndNotByTheOrderInWhichPacketsAreComplete) {
  Pieces pieces;
  pieces.add(5000, 7000);
  pieces.at(10'400).add_one(kVideo, 1000);
  pieces.at(10'100).add_one(kAudio, 6995);  // of the recording before, and two that lay with it
  pieces.add_one(kAudio, 7035, false).add_one(kAudio, 7075, false);
  pieces.at(10'500).add(1040, 3000);
  const auto file = pieces.finish();
  EXPECT_EQ(shifts(file, kVideo), (Shifts{{50, 6000}}));
  EXPECT_EQ(shifts(file, kAudio), (Shifts{{53, 6000}}));
}

TEST(PieceFinder, TakesALongStepOfOneStreamForAHole) {
  for (const std::int64_t hole_ms : {12'000, 40'000}) {
    Pieces without_sound, without_pictures;
    without_sound.add(0, 20'000).add(20'000, 20'000 + hole_ms, false).add(20'000 + hole_ms, 90'000);
    without_pictures.add(0, 20'000)
        .add_sound(20'000, 20'000 + hole_ms)
        .add(20'000 + hole_ms, 90'000);
    expect_nothing(without_sound.finish());
    expect_nothing(without_pictures.finish());
  }
}

TEST(PieceFinder, MovesBothStreamsWhereOneStepIsJustLongAndTheOtherIsNot) {
  for (const int longer : {kVideo, kAudio}) {  // 10.02 s, and 9.99 s
    Pieces pieces;
    pieces.add(0, 2000);
    for (int time = 0; time < 2000; time += 40) {
      pieces.add_one(kVideo, 1960 + (longer == kVideo ? 10'020 : 9990) + time);
      pieces.add_one(kAudio, 1955 + (longer == kAudio ? 10'020 : 9990) + time);
    }
    const auto file = pieces.finish();
    ASSERT_EQ(shifts(file, kVideo).size(), 1U);
    EXPECT_EQ(shifts(file, kVideo), shifts(file, kAudio));
    EXPECT_NEAR(static_cast<double>(shifts(file, kVideo)[0].second), -9960, 40);
  }
}

TEST(PieceFinder, GoesOnWhereOneStreamEndedWhoseClockWasSetAnew) {
  Pieces pieces;
  pieces.add(0, 20'000);
  for (int time = 0; time < 20'000; time += 40)
    pieces.add_one(kVideo, 20'000 + time).add_one(kAudio, time);
  const auto file = pieces.finish();
  EXPECT_EQ(shifts(file, kVideo), Shifts());
  EXPECT_EQ(shifts(file, kAudio), (Shifts{{500, 19'995}}));
}

TEST(PieceFinder, LeavesOutTheMissingStreamOfAPieceAmongOthers) {
  // Both, sound alone, both: without pictures in the second, the third goes by the sound.
  const auto file = Pieces().add(5000, 8000).add_sound(0, 2000).add(1000, 4000).finish();
  EXPECT_EQ(shifts(file, kVideo), (Shifts{{75, 9005}}));
  EXPECT_EQ(shifts(file, kAudio), (Shifts{{75, 8005}, {125, 9005}}));
}

TEST(PieceFinder, TakesALongStepForAHoleWhereTimesAreNotBroadcast) {
  expect_nothing(Pieces(false).add(0, 1000).add(60'000, 61'000).finish());
  EXPECT_EQ(shifts(Pieces(false).add(5000, 6000).add(0, 1000).finish(), kVideo).size(), 1U);
  Pieces slides(false);  // a picture every 20 seconds
  for (int time = 0; time < 200'000; time += 20'000) slides.add_one(kVideo, time);
  expect_nothing(slides.finish());
}

TEST(PieceFinder, KnowsASingleWrongTime) {
  for (const std::int64_t wrong : {-50'000, 8000, 90'000'000}) {
    const auto file = Pieces().add(0, 2000).add_one(kVideo, wrong).add(2000, 4000).finish();
    EXPECT_EQ(shifts(file, kVideo), Shifts()) << wrong;
    EXPECT_EQ(strays(file, kVideo), Strays{50}) << wrong;
  }
}

TEST(PieceFinder, KnowsAWrongTimeOfAFirstPacket) {
  for (const int stream : {kVideo, kAudio}) {
    for (const bool may_jump_ahead : {true, false}) {
      const auto file =
          Pieces(may_jump_ahead).add_one(stream, 9'000'000).add(5'000'000, 5'060'000).finish();
      EXPECT_EQ(shifts(file, stream), Shifts());
      EXPECT_EQ(strays(file, stream), Strays{0});
    }
    const auto file = Pieces().add_one(stream, 0).add(5'000'000, 5'060'000).finish();
    EXPECT_EQ(shifts(file, stream), Shifts());
    EXPECT_EQ(strays(file, stream), Strays{0});
    // A title that is shown for long is none.
    expect_nothing(Pieces(false).add_one(stream, 0).add(20'000, 30'000).finish());
  }
  // Nor is one before a hole.
  expect_nothing(Pieces().add(0, 40).add(40, 15'000, false).add(15'000, 30'000).finish());
}

TEST(PieceFinder, KnowsPacketsThatTakeTheirTimeFromAWrongOne) {
  Pieces pieces;
  const auto add_three = [&](std::int64_t time) {
    pieces.add_one(kVideo, time).add_one(kVideo, time + 40).add_one(kVideo, time + 80);
  };
  const auto sound_of_three = [&](std::int64_t time) {
    for (const int k : {0, 1, 2}) pieces.add_one(kAudio, time + 40 * k, k == 0);
  };
  for (int time = 0; time < 2400; time += 120) {
    add_three(time);
    sound_of_three(time == 0 ? 500'000 : time == 1200 ? 90'000 : time);
  }
  const auto file = pieces.finish();
  EXPECT_EQ(shifts(file, kAudio), Shifts());
  EXPECT_EQ(strays(file, kAudio), (Strays{0, 1, 2, 30, 31, 32}));
}

TEST(PieceFinder, GoesBySoundWhereAPieceHasNoPictures) {
  Pieces pieces;
  pieces.add(0, 1000);
  for (int time = -3000; time < -2000; time += 40) pieces.add_one(kAudio, time);
  EXPECT_EQ(shifts(pieces.finish(), kAudio), (Shifts{{25, 4000}}));
}

TEST(PieceFinder, SurvivesTimesNearOverflow) {
  const auto file = Pieces()
                        .add(0, 400)
                        .add_one(kVideo, INT64_MAX)
                        .add_one(kVideo, INT64_MIN + 1)
                        .add(400, 800)
                        .finish();
  EXPECT_EQ(shifts(file, kVideo), Shifts());
}

TEST(PieceFinder, RefusesTimesThatAddUpToMoreThanAnyRecording) {
  Pieces pieces(false);
  constexpr std::int64_t kCenturies_ms = 900LL * 365 * 86'400 * 1000;
  for (int i = 0; i < 4000; ++i) {
    const auto time = i % 2 == 0 ? 0 : kCenturies_ms;
    pieces.add(time, time + 80);
  }
  EXPECT_THROW(pieces.finish(), MediaError);
}

TEST(PieceFinder, RefusesAFileOfNothingButSteps) {
  Pieces pieces;
  EXPECT_THROW(
      {
        for (int i = 0; i < 100'000; ++i) pieces.add_sound(-1000 * i, -1000 * i + 80);
      },
      MediaError);
}

TEST(PieceFinder, TakesPicturesOutOfOrderForNoSteps) {
  Pieces pieces;
  for (int time = 0; time < 3'000'000; time += 100) {  // 30,000 short steps back
    pieces.add_one(kVideo, time + 400).add_one(kVideo, time).add_one(kVideo, time + 40);
  }
  expect_nothing(pieces.finish());
}

TEST(JoinedTimes, AsksOnlyWhereTimesJump) {
  const auto packet = new_packet();
  JoinedTimes times;
  int asked = 0;
  const auto apply = [&](std::int64_t time) {
    packet->pts = packet->dts = time;
    times.look_at(*packet, kMs, [&] {
      ++asked;
      return JoinedFile{{0, {.pieces = {{.first_packet = 3, .shift_us = 500'000}}, .strays = {4}}}};
    });
    times.mend(*packet, kMs);
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
