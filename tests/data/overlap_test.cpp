#include "raven/data/overlap.h"

#include <gmock/gmock.h>

#include <fstream>

#include "raven/data/shard.h"
#include "raven/media/media_writer.h"
#include "support/open_count.h"
#include "support/temporary_folder.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

/// 20,000 bytes that follow from `seed`; of them, `changed` is another one.
std::string bytes(char seed, std::size_t changed = std::string::npos) {
  std::string content(20'000, seed);
  for (std::size_t i = 0; i < content.size(); i += 7) content[i] = static_cast<char>(seed + i % 50);
  if (changed < content.size()) content[changed] = static_cast<char>(content[changed] + 1);
  return content;
}

class Overlaps : public testing::Test {
 protected:
  Location file(const std::string& name, const std::string& content) const {
    std::ofstream(folder_.path() / name, std::ios::binary) << content;
    return {.file = folder_.path() / name, .member = ""};
  }
  /// A member of a shard of its own.
  Location member(const std::string& tar, const std::string& content, bool index = true) const {
    const auto path = folder_.path() / (tar + ".tar");
    ShardWriter writer(path);
    writer.add("other", "something else");
    writer.add("clip.mp4", content);
    writer.finish();
    if (!index) fs::remove(path.string() + ".index");
    return {.file = path, .member = "clip.mp4"};
  }
  static Utterance clip(const std::string& id, const Location& video, const Location& audio = {},
                        const std::string& speaker = "") {
    Utterance utterance;
    utterance.id = id;
    utterance.video = video;
    utterance.audio = audio;
    utterance.speaker = speaker;
    return utterance;
  }
  static Manifest list(std::vector<Utterance> utterances) {
    return {.file = "a.tsv", .utterances = std::move(utterances)};
  }
  TemporaryFolder folder_;
};

TEST_F(Overlaps, SilenceIsNoSharedSound) {
  const auto wave = [](float level) {
    return media::encode_exact_wav(std::vector<float>(6400, level));
  };
  const auto kept = list({clip("a", file("a.mp4", bytes('a')), file("a.wav", wave(0))),
                          clip("b", file("b.mp4", bytes('b')), member("b", wave(0.5F)))});
  EXPECT_EQ(
      overlap(list({clip("c", file("c.mp4", bytes('c')), file("c.wav", wave(0)))}), kept).total(),
      0);
  EXPECT_EQ(
      overlap(list({clip("d", file("d.mp4", bytes('d')), member("d", wave(0)))}), kept).total(), 0);
  EXPECT_EQ(overlap(list({clip("e", file("e.mp4", bytes('e')), file("e.wav", wave(0.5F)))}), kept)
                .total(),
            1);
}

TEST_F(Overlaps, AreFoundByIds) {
  const auto kept =
      list({clip("a", file("a.mp4", bytes('a'))), clip("b", file("b.mp4", bytes('b')))});
  const auto other =
      list({clip("c", file("c.mp4", bytes('c'))), clip("b", file("d.mp4", bytes('d')))});
  const auto found = overlap(other, kept);
  EXPECT_THAT(found.clips, ElementsAre(1, 0, 0));
  ASSERT_EQ(found.examples.size(), 1U);
  EXPECT_EQ(found.examples[0].here, &other.utterances[1]);
  EXPECT_EQ(found.examples[0].there, &kept.utterances[1]);
  EXPECT_EQ(overlap(other, list({clip("a", file("a.mp4", bytes('a')))})).total(), 0);
}

// Wherever they lie: as files, in shards with an index, and in tars of other programs.
TEST_F(Overlaps, AreFoundByWhatFilesHold) {
  const auto places = [&](const std::string& name, const std::string& content) {
    return std::vector<Location>{file(name + ".mp4", content), member(name, content),
                                 member(name + "_plain", content, /*index=*/false)};
  };
  const auto same_a = places("a", bytes('a')), same_b = places("b", bytes('a'));
  // As long, and other in the middle, or at one end alone.
  const auto middle = places("m", bytes('a', 10'000)), end = places("e", bytes('a', 19'999));
  for (const auto& there : same_a) {
    const auto kept = list({clip("x", there)});
    for (const auto& here : same_b)
      EXPECT_THAT(overlap(list({clip("y", here)}), kept).clips, ElementsAre(0, 1, 0))
          << here.text() << " " << there.text();
    for (const auto* others : {&middle, &end}) {
      for (const auto& here : *others)
        EXPECT_EQ(overlap(list({clip("y", here)}), kept).total(), 0)
            << here.text() << " " << there.text();
    }
  }
}

TEST_F(Overlaps, SoundCountsByItself) {
  const auto sound = file("a.wav", bytes('s')), copy = file("b.wav", bytes('s'));
  const auto kept = list({clip("x", file("a.mp4", bytes('a')), sound)});
  EXPECT_THAT(overlap(list({clip("y", file("b.mp4", bytes('b')), copy)}), kept).clips,
              ElementsAre(0, 0, 1));
  EXPECT_THAT(overlap(list({clip("y", {}, copy)}), kept).clips, ElementsAre(0, 0, 1));
  const auto silence = file("empty.wav", "");
  EXPECT_EQ(overlap(list({clip("y", {}, silence)}), list({clip("x", {}, silence)})).total(), 0);
}

TEST_F(Overlaps, AClipCountsOnceAndTheFirstAreNamed) {
  std::vector<Utterance> clips;
  for (char c = 'a'; c < 'k'; ++c) {
    const auto video = file(std::string(1, c) + ".mp4", bytes(c)),
               sound = file(std::string(1, c) + ".wav", bytes(c));
    clips.push_back(clip(std::string(1, c), video, sound));
  }
  const auto found = overlap(list(clips), list(clips));
  EXPECT_THAT(found.clips, ElementsAre(10, 0, 0));
  EXPECT_EQ(found.total(), 10);
  EXPECT_EQ(found.examples.size(), 5U);
}

TEST_F(Overlaps, SpeakersAreThoseThatBothListsName) {
  const auto none = Location{};
  const auto video = file("a.mp4", "a");
  const auto kept = list({clip("a", video, none, "Bob"), clip("b", video, none, "Ann"),
                          clip("c", video, none, "Eve"), clip("d", video)});
  const auto other = list({clip("e", video, none, "Eve"), clip("f", video, none, "Bob"),
                           clip("g", video, none, "Bob"), clip("h", video)});
  const auto found = overlap(other, kept);
  EXPECT_THAT(found.speakers, ElementsAre("Bob", "Eve"));
  EXPECT_TRUE(found.speakers_known);
  const auto unknown = overlap(list({clip("h", video)}), kept);
  EXPECT_THAT(unknown.speakers, IsEmpty());
  EXPECT_FALSE(unknown.speakers_known);
}

TEST_F(Overlaps, FilesThatCannotBeReadAreCountedAndTheirIdsCompared) {
  const Location gone{.file = folder_.path() / "gone.mp4", .member = ""};
  const Location lost{.file = folder_.path() / "gone.tar", .member = "a"};
  const auto kept = list({clip("a", gone), clip("b", file("b.mp4", bytes('b')))});
  const auto found =
      overlap(list({clip("a", lost), clip("c", lost), clip("d", file("d.mp4", bytes('b')))}), kept);
  EXPECT_THAT(found.clips, ElementsAre(1, 1, 0));
  EXPECT_EQ(found.unreadable, 2);  // a there, c here
}

TEST_F(Overlaps, FilesOfOtherSizesAreNotRead) {
  const auto kept = list({clip("x", file("x.mp4", bytes('x')))});
  const auto longer = file("longer.mp4", bytes('x') + "."), alike = file("alike.mp4", bytes('y'));
  OpenCount of_longer(longer.file), of_alike(alike.file);
  EXPECT_EQ(overlap(list({clip("a", longer), clip("b", alike)}), kept).total(), 0);
  EXPECT_EQ(of_longer.take(), 0);
  EXPECT_EQ(of_alike.take(), 1);
}

}  // namespace
}  // namespace raven::data
