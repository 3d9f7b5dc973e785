#include "raven/data/list_export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "data/corpus_fixture.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/data/sample_reader.h"
#include "raven/media/media_writer.h"
#include "raven/media/probe.h"
#include "support/temporary_folder.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::vector<std::int64_t> kLengths = {12, 3, 7, 1, 30};

class ListExportTest : public testing::Test {
 protected:
  void SetUp() override {
    manifest_ = write_corpus(folder_.path() / "corpus", kLengths);
    for (std::size_t i = 0; i < kLengths.size(); ++i) {
      manifest_.utterances[i].source = i == 3 ? "voxceleb2" : "lrs3";
      manifest_.utterances[i].text = i == 1 ? "" : "AB A";
    }
    options_ = {.output = out(), .workers = 3};
  }

  [[nodiscard]] fs::path out() const { return folder_.path() / "published"; }
  [[nodiscard]] static std::unique_ptr<text::Tokenizer> tokenizer() {
    auto units = text::Units::parse("<unk> 1\nA 2\nB 3\n\u2581 4\n", "u");
    return text::make_unigram_tokenizer(std::move(units),
                                        {.counts = {0, 0, 5, 5, 9, 0}, .words = {}});
  }
  ExportSummary run() const { return export_list(manifest_, tokenizer().get(), options_); }

  [[nodiscard]] static Sample whole(const Manifest& manifest, std::size_t number) {
    const SampleReader reader({.video = {.window = 96, .shrink = 1, .crop = 96}},
                              std::make_shared<ShardCache>(), manifest.file);
    return reader.read(manifest.utterances[number], {});
  }
  /// What is said instead of exporting.
  [[nodiscard]] std::string refusal(const text::Tokenizer* with) const {
    try {
      (void)export_list(manifest_, with, options_);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder_;
  Manifest manifest_;
  ExportOptions options_;
};

TEST_F(ListExportTest, ComesBackExactlyAsAPublishedList) {
  const auto summary = run();
  EXPECT_EQ(summary.written, 5);
  EXPECT_EQ(summary.frames, 53);
  EXPECT_EQ(summary.without_labels, 1);
  EXPECT_EQ(summary.list, out() / "manifest.csv");
  EXPECT_EQ(read_file(summary.list),
            "lrs3,s0/0.avi,12,4 2 3 4 2\nlrs3,s1/1.avi,3,\nlrs3,s2/2.avi,7,4 2 3 4 2\n"
            "vox2,s0/3.avi,1,4 2 3 4 2\nlrs3,s1/4.avi,30,4 2 3 4 2\n");
  auto again = read_manifest(summary.list);
  ASSERT_EQ(again.utterances.size(), kLengths.size());
  for (std::size_t i = 0; i < kLengths.size(); ++i) {
    const auto before = whole(manifest_, i), after = whole(again, i);
    EXPECT_TRUE(torch::equal(after.video, before.video)) << i;
    EXPECT_TRUE(torch::equal(after.audio, before.audio)) << i;
  }
  EXPECT_EQ(again.utterances[3].video.file, out() / "vox2/s0/3.avi");
}

TEST_F(ListExportTest, WritesPlainAviAndWavFiles) {
  run();
  const auto avi = read_file(out() / "lrs3/s1/4.avi"), wav = read_file(out() / "lrs3/s1/4.wav");
  EXPECT_EQ(avi.substr(0, 4) + avi.substr(8, 4), "RIFFAVI ");
  EXPECT_NE(avi.find("vidsFFV1"), std::string::npos);
  const auto info = media::probe(media::Source(out() / "lrs3/s1/4.avi"));
  EXPECT_EQ(info.video_codec, "ffv1");
  EXPECT_DOUBLE_EQ(info.frame_rate_hz, 25);
  EXPECT_FALSE(info.has_audio);
  EXPECT_EQ(wav.substr(0, 4) + wav.substr(8, 4), "RIFFWAVE");
  EXPECT_EQ(wav.size(), 44U + 2 * 640 * 30);  // 16 bits, nothing but the samples
}

TEST_F(ListExportTest, GoesOnWhereItWasAndKeepsWhatIsWhole) {
  const auto tokens = tokenizer();
  std::stop_source stop;
  options_.workers = 1;
  const auto stopped =
      export_list(manifest_, tokens.get(), options_, stop.get_token(), [&](std::int64_t done) {
        if (done == 2) stop.request_stop();
      });
  EXPECT_TRUE(stopped.stopped);
  EXPECT_EQ(stopped.written, 2);
  EXPECT_FALSE(fs::exists(out() / "manifest.csv"));
  const auto time = fs::last_write_time(out() / "lrs3/s0/0.avi");
  // A line that was cut short, a file that was cut short and one that is gone count for nothing.
  std::ofstream(out() / "exported.tsv", std::ios::app) << "lrs3/s2/2\t7\t1";
  fs::resize_file(out() / "lrs3/s1/1.wav", 100);
  const auto rest = run();
  EXPECT_EQ(rest.kept, 1);
  EXPECT_EQ(rest.written, 4);
  EXPECT_EQ(fs::last_write_time(out() / "lrs3/s0/0.avi"), time);
  fs::remove(out() / "lrs3/s2/2.avi");
  EXPECT_EQ(run().written, 1);

  const TemporaryFolder other;
  options_.output = other.path();
  run();
  for (const auto& entry : fs::recursive_directory_iterator(other.path())) {
    if (!entry.is_regular_file() || entry.path().filename() == ".lock") continue;
    const auto same = out() / entry.path().lexically_relative(other.path());
    if (entry.path().filename() == "exported.tsv") continue;  // in the order of writing
    EXPECT_TRUE(read_file(entry.path()) == read_file(same)) << same;
  }
}

TEST_F(ListExportTest, TakesSeveralListsOfOneFolder) {
  run();
  auto part = manifest_;
  part.file = folder_.path() / "corpus/test.tsv";
  part.utterances.resize(2);
  const auto summary = export_list(part, tokenizer().get(), options_);
  EXPECT_EQ(summary.kept, 2);
  EXPECT_EQ(summary.written, 0);
  EXPECT_EQ(read_manifest(out() / "test.csv").utterances.size(), 2U);
  part.utterances[0].audio = part.utterances[1].audio;
  manifest_ = part;
  EXPECT_THAT(refusal(tokenizer().get()), HasSubstr("lrs3/s0/0 was made from"));
}

TEST_F(ListExportTest, RefusesAnotherListOfTheSameName) {
  run();
  manifest_.utterances.erase(manifest_.utterances.begin());
  EXPECT_THAT(refusal(tokenizer().get()),
              HasSubstr("manifest.csv:1: lists 'lrs3,s0/0.avi', which "));
  EXPECT_EQ(read_manifest(out() / "manifest.csv").utterances.size(), kLengths.size());
  fs::remove(out() / "manifest.csv");
  EXPECT_EQ(run().kept, 4);
}

TEST_F(ListExportTest, KeepsSoundOfItsOwnAsLongAsItIs) {
  const auto file = folder_.path() / "long.wav";
  write_file_atomically(file, media::encode_exact_wav(std::vector<float>(640 * 20 + 5, 0.25F)));
  manifest_.utterances[0].audio = {.file = file, .member = ""};
  run();
  EXPECT_EQ(fs::file_size(out() / "lrs3/s0/0.wav"), 44U + 2 * 640 * 20);
  EXPECT_EQ(read_manifest(out() / "manifest.csv").utterances[0].frames, 12);
}

TEST_F(ListExportTest, LeavesOutWhatCannotBeReadAndSaysSo) {
  manifest_.utterances[2].frames = 8;
  manifest_.utterances[4].video = {};
  const auto summary = run();
  ASSERT_EQ(summary.skipped.size(), 1U);
  EXPECT_EQ(summary.skipped[0].id, "s2/2");
  EXPECT_EQ(summary.skipped[0].reason, "frame-count");
  EXPECT_EQ(summary.without_video, 1);
  EXPECT_FALSE(fs::exists(out() / "lrs3/s1/4.avi"));
  EXPECT_TRUE(fs::exists(out() / "lrs3/s1/4.wav"));
  EXPECT_THAT(read_file(out() / "manifest.skipped.tsv"), HasSubstr("s2/2\tframe-count\t"));
  EXPECT_EQ(read_manifest(summary.list).utterances.size(), 4U);
}

TEST_F(ListExportTest, WritesNothingOutsideItsFolderAndNothingAtAllBeforeItIsSure) {
  for (const std::string id : {"../s0/0", "/etc/x", "a/../../b", "a,b", "a\nb", "a//b"}) {
    manifest_.utterances[0].id = id;
    EXPECT_NE(refusal(tokenizer().get()), "") << id;
    EXPECT_FALSE(fs::exists(out())) << id;
  }
  manifest_.utterances[0].id = "s1/1.avi/x";
  EXPECT_THAT(refusal(tokenizer().get()), HasSubstr("would make a folder of the file s1/1.avi"));
  manifest_.utterances[0].id = "s0/0";
  for (const std::string tag : {"a/b", "..", "a,b", "manifest.csv"}) {
    options_.tag = tag;
    EXPECT_THAT(refusal(tokenizer().get()), HasSubstr("--tag")) << tag;
  }
  options_.tag = "";
  EXPECT_THAT(refusal(nullptr), HasSubstr("give a vocabulary with --units or --model, or "
                                          "--no-labels"));
  manifest_.utterances[4].source = "folder";
  EXPECT_THAT(refusal(tokenizer().get()), HasSubstr("give --tag NAME"));
  EXPECT_FALSE(fs::exists(out()));
  options_.tag = "mine";
  options_.labels = false;
  EXPECT_EQ(export_list(manifest_, nullptr, options_).without_labels, 5);
  EXPECT_TRUE(fs::exists(out() / "mine/s1/4.avi"));
}

TEST_F(ListExportTest, KeepsTheIdsOfAPublishedListAndItsClipsOwnLength) {
  run();
  auto published = read_manifest(out() / "manifest.csv");
  for (auto& utterance : published.utterances) utterance.frames += 3;
  options_.output = folder_.path() / "again";
  const auto summary = export_list(published, nullptr, options_);
  EXPECT_EQ(read_file(summary.list), read_file(out() / "manifest.csv"));
  options_.output = out();
  manifest_ = published;
  EXPECT_THAT(refusal(nullptr), HasSubstr("is the list itself"));
}

}  // namespace
}  // namespace raven::data
