#include "raven/data/modality.h"

#include <gmock/gmock.h>

#include "data/corpus_fixture.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/data/sample_reader.h"
#include "support/temporary_folder.h"

namespace raven::data {
namespace {

using testing::HasSubstr;

constexpr Modalities kBoth{.video = true, .audio = true}, kVideo{.video = true},
    kAudio{.audio = true};

class ModalityTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::vector<std::uint8_t> pixels(3 * kStoredSide * kStoredSide, 90);
    write("silent.mp4",
          media::encode_mp4(
              {.pixels = pixels, .num_frames = 3, .height = kStoredSide, .width = kStoredSide}));
    write("a.wav", media::encode_wav(clip_samples(3, 1)));
    write("v.npy", npy_clip(clip_pixels(3, 1)));
  }

  void write(const std::string& name, const std::string& content) const {
    write_file_atomically(folder_.path() / name, content);
  }

  /// Of `lines`, "video<TAB>audio" each; ids are a, b, c, ...
  [[nodiscard]] Manifest list(const std::vector<std::string>& lines) const {
    std::string content = "id\tvideo\taudio\tframes\n";
    for (std::size_t i = 0; i < lines.size(); ++i)
      content += fmt::format("{}\t{}\t3\n", static_cast<char>('a' + i), lines[i]);
    return parse_manifest(content, folder_.path() / "m.tsv");
  }

  [[nodiscard]] static std::string refusal(const Manifest& manifest, Modalities needed) {
    try {
      require_modalities(manifest, needed, "raven test");
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "accepted";
  }

  TemporaryFolder folder_;
};

TEST_F(ModalityTest, SaysWhatAListPromises) {
  const auto manifest = list({"v.npy\ta.wav", "v.npy\t", "silent.mp4\t", "\ta.wav"});
  EXPECT_EQ(listed_modalities(manifest.utterances[0]), kBoth);
  EXPECT_EQ(listed_modalities(manifest.utterances[1]), kVideo);
  EXPECT_EQ(listed_modalities(manifest.utterances[2]), kBoth);  // until somebody looks
  EXPECT_EQ(listed_modalities(manifest.utterances[3]), kAudio);
  const SampleReader reader({}, std::make_shared<ShardCache>(), "m.tsv");
  EXPECT_EQ(reader.modalities(manifest.utterances[2]), kVideo);
  EXPECT_EQ(reader.modalities(manifest.utterances[3]), kAudio);
}

TEST_F(ModalityTest, RefusesAListByTheLineThatLacksWhatIsNeeded) {
  const auto place = (folder_.path() / "m.tsv").string();
  const auto mixed = list({"v.npy\ta.wav", "\ta.wav", "v.npy\t", "\ta.wav"});
  EXPECT_EQ(refusal(mixed, kVideo),
            place +
                ":3: 'b' has no video (like 1 more of 4 utterances); raven test needs video: "
                "leave such lines out, or give another list");
  EXPECT_THAT(refusal(mixed, kAudio),
              HasSubstr(place + ":4: 'c' has no audio; raven test needs audio"));
  EXPECT_THAT(
      refusal(mixed, kBoth),
      HasSubstr(
          place +
          ":3: 'b' has no video (like 2 more of 4 utterances); raven test needs video and audio"));
  EXPECT_EQ(refusal(mixed, {}), "accepted");
  EXPECT_EQ(refusal(list({"v.npy\ta.wav"}), kBoth), "accepted");
}

TEST_F(ModalityTest, LooksIntoFilmsForTheirSound) {
  const auto silent = list({"v.npy\ta.wav", "silent.mp4\t"});
  EXPECT_THAT(refusal(silent, kBoth), HasSubstr("m.tsv:3: 'b' has no audio"));
  EXPECT_EQ(refusal(silent, kVideo), "accepted");
  // What cannot be opened is for the reader to name.
  EXPECT_EQ(refusal(list({"nothing.mp4\t"}), kBoth), "accepted");
}

}  // namespace
}  // namespace raven::data
