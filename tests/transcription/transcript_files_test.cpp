#include "raven/transcription/transcript_files.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

namespace raven::transcription {
namespace {

using config::Modality;

FileTranscript example() {
  const std::vector<Word> words = {
      {.text = "SO", .begin_s = -0.04, .end_s = 0.4, .confidence = 0.5},
      {.text = "ON\t", .begin_s = 0.3004, .end_s = 99, .confidence = 1}};
  return {.file = "clip.mp4",
          .duration_s = 2,
          .transcripts = {{.modality = Modality::kAudio,
                           .model = "asr",
                           .passages = {{.begin_s = 0, .end_s = 1, .score = -1.5, .words = words},
                                        {.begin_s = 1, .end_s = 2, .score = 0, .words = {}}}}},
          .remarks = {}};
}

std::map<std::string, std::string> files(const FileTranscript& transcript,
                                         const std::vector<std::string>& formats, bool several) {
  std::map<std::string, std::string> all;
  for (const auto& [name, content] : contents_of(transcript, "clip", formats, several))
    all[name] = content;
  return all;
}

TEST(TranscriptFiles, TimesLieInTheFileAndDoNotDecrease) {
  const auto all = files(example(), {"txt", "json", "tsv", "srt", "vtt"}, false);
  ASSERT_EQ(all.size(), 5U);
  EXPECT_EQ(all.at("clip.txt"), "SO ON \n");
  EXPECT_EQ(all.at("clip.tsv"),
            "modality\tstart\tend\tconfidence\tword\n"
            "audio\t0.000\t0.400\t0.5000\tSO\n"
            "audio\t0.300\t2.000\t1.0000\tON \n");
  EXPECT_EQ(all.at("clip.srt"), "1\n00:00:00,000 --> 00:00:02,000\nSO ON \n\n");
  const auto json = nlohmann::json::parse(all.at("clip.json"));
  const auto& passages = json.at("transcripts").at(0).at("passages");
  ASSERT_EQ(passages.size(), 2U);
  EXPECT_EQ(passages[0].at("text"), "SO ON ");
  EXPECT_EQ(passages[0].at("words")[0].at("start"), 0.0);
  EXPECT_EQ(passages[0].at("words")[1].at("end"), 2.0);
  EXPECT_EQ(json.at("duration"), 2.0);
}

TEST(TranscriptFiles, TwoModalitiesStandSideBySide) {
  auto both = example();
  both.transcripts.push_back(both.transcripts[0]);
  both.transcripts[1].modality = Modality::kVideo;
  const auto all = files(both, {"txt", "json", "tsv"}, true);
  EXPECT_EQ(all.size(), 4U);
  EXPECT_TRUE(all.contains("clip.audio.txt"));
  EXPECT_TRUE(all.contains("clip.video.txt"));
  EXPECT_NE(all.at("clip.tsv").find("\nvideo\t"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(all.at("clip.json")).at("transcripts").size(), 2U);
  both.transcripts.pop_back();  // a film without a face
  EXPECT_TRUE(files(both, {"txt"}, true).contains("clip.audio.txt"));
}

TEST(TranscriptFiles, HoldUtf8Alone) {
  auto odd = example();
  odd.file = "a\xFF.mp4";
  odd.transcripts[0].model = "\xFE";
  odd.transcripts[0].passages[0].words[0].text = "\xFF";
  const auto all = files(odd, {"json", "txt"}, false);
  EXPECT_NO_THROW(static_cast<void>(nlohmann::json::parse(all.at("clip.json"))));
  EXPECT_EQ(all.at("clip.txt"), "%FF ON \n");
}

}  // namespace
}  // namespace raven::transcription
