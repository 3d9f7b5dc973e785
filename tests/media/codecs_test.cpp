#include "raven/media/codecs.h"

#include <gtest/gtest.h>

namespace raven::media {
namespace {

TEST(Codecs, TellsWhatThisLibavHas) {
  EXPECT_TRUE(has_decoder("h264"));
  EXPECT_TRUE(has_decoder("pcm_s16le"));
  EXPECT_FALSE(has_decoder("no_such_codec"));
  EXPECT_TRUE(has_encoder("pcm_s16le"));
  EXPECT_FALSE(has_encoder("no_such_codec"));
  EXPECT_TRUE(has_demuxer("mov"));
  EXPECT_TRUE(has_demuxer("matroska"));
  EXPECT_FALSE(has_demuxer("no_such_container"));
  EXPECT_TRUE(has_muxer("mp4"));
  EXPECT_FALSE(has_muxer("no_such_container"));
}

TEST(Codecs, TellsItsVersions) {
  for (const auto& version : libav_versions()) {
    EXPECT_EQ(version.name.substr(0, 3), "lib");
    EXPECT_EQ(version.built, version.running) << version.name;
  }
}

}  // namespace
}  // namespace raven::media
