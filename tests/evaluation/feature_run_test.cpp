#include "raven/evaluation/feature_run.h"
#include "raven/models/batch_input.h"

#include <gmock/gmock.h>

#include <limits>
#include <sstream>

#include "data/corpus_fixture.h"
#include "evaluation/tiny_encoder.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/folder_lock.h"
#include "raven/data/sample_reader.h"
#include "raven/train/finetune_task.h"
#include "support/temporary_folder.h"
#include "support/tolerance.h"

namespace raven::evaluation {
namespace {

namespace fs = std::filesystem;
using models::Modality;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kSame = 1e-5;  // absolute; features of this encoder are of size 1 to 10

class FeatureRuns : public testing::Test {
 protected:
  void SetUp() override {
    manifest_ = data::write_corpus(folder_.path() / "corpus", {5, 9, 7, 12, 6, 9});
    config_.out = (folder_.path() / "out").string();
    config_.data.workers = 0;
    config_.data.max_frames = 20;
  }

  [[nodiscard]] LoadedEncoder encoder(Modality modality = Modality::kVideo,
                                      const std::string& salt = "a") const {
    const auto file = folder_.path() / ("encoder" + salt + ".safetensors");
    return load_encoder(write_encoder(file, tiny_encoder(modality, salt), modality));
  }
  std::optional<FeatureCounts> run(
      LoadedEncoder loaded, const std::stop_token& stop = {},
      const FeatureProgress& progress = [](auto, auto) {}) const {
    return write_features(loaded, manifest_, config_, torch::kCPU, stop, progress);
  }
  template <class Exception>
  std::string problem(const LoadedEncoder& loaded) const {
    try {
      run(loaded);
    } catch (const Exception& error) {
      return error.what();
    }
    return "";
  }

  /// What the encoder makes of a clip alone.
  [[nodiscard]] models::EncoderOutput alone(const data::Utterance& utterance,
                                            Modality modality = Modality::kVideo) const {
    const torch::NoGradGuard no_grad;
    const auto input = tiny_settings().data;
    const data::SampleReader reader({.video = input.video, .waveform = input.waveform},
                                    std::make_shared<data::ShardCache>(), manifest_.file);
    const auto sample = reader.read(utterance, data::centre_placement(input.video));
    const data::Batch batch{.ids = {sample.id},
                            .video = sample.video.unsqueeze(0),
                            .audio = sample.audio.unsqueeze(0),
                            .lengths = torch::tensor({sample.frames})};
    return tiny_encoder(modality)->all_blocks(models::encoder_input(batch, modality));
  }
  [[nodiscard]] torch::Tensor array(const std::string& id) const {
    const auto bytes = read_file(fs::path(config_.out) / (id + ".npy"));
    const auto view = corpus::parse_npy(std::as_bytes(std::span(bytes)), id);
    EXPECT_EQ(view.descr, "<f4");
    return torch::tensor(corpus::npy_as_doubles(view, id)).view(view.shape).to(torch::kFloat32);
  }
  /// All files of the folder by name.
  [[nodiscard]] std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(config_.out)) {
      if (!entry.is_regular_file() || entry.path().filename() == ".lock") continue;
      found[fs::relative(entry.path(), config_.out).string()] = read_file(entry.path());
    }
    return found;
  }

  TemporaryFolder folder_;
  data::Manifest manifest_;
  config::FeaturesConfig config_;
};

TEST_F(FeatureRuns, WriteTheLastBlockBehindItsNormAndAnIndex) {
  const auto counts = run(encoder());
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->written, 6);
  EXPECT_EQ(counts->shape, "(frames, 16)");
  std::istringstream index(read_file(fs::path(config_.out) / "index.tsv"));
  std::string line;
  std::getline(index, line);
  EXPECT_EQ(line, "id\tfile\tframes\twidth\tchecksum\tsource");
  for (const auto& utterance : manifest_.utterances) {
    EXPECT_LE(tolerance::distance(array(utterance.id), alone(utterance).last[0]), kSame);
  }
  std::vector<std::string> ids;
  while (std::getline(index, line)) {
    std::istringstream fields(line);
    std::string id, file, frames, width, checksum;
    fields >> id >> file >> frames >> width >> checksum;
    ids.push_back(id);
    EXPECT_EQ(file, id + ".npy");
    EXPECT_EQ(width, "16");
    EXPECT_EQ(std::stoll(frames), array(id).size(0));
    EXPECT_EQ(checksum, checksum_text(checksum_file(fs::path(config_.out) / file)));
  }
  EXPECT_THAT(ids, ElementsAre("s0/0", "s0/3", "s1/1", "s1/4", "s2/2", "s2/5"));
}

TEST_F(FeatureRuns, AreTheSameAloneAndTogether) {
  for (const auto modality : {Modality::kVideo, Modality::kAudio}) {
    const auto loaded = encoder(modality);
    config_.data.max_frames = 1;
    config_.out = (folder_.path() / ("alone" + config::modality_name(modality))).string();
    ASSERT_TRUE(run(loaded));
    std::map<std::string, torch::Tensor> expected;
    for (const auto& utterance : manifest_.utterances) {
      expected[utterance.id] = array(utterance.id);
      // Alone, they are those of the clip to the last bit.
      EXPECT_TRUE(torch::equal(expected[utterance.id], alone(utterance, modality).last[0]));
    }
    config_.data.max_frames = 5000;
    config_.out = (folder_.path() / ("all" + config::modality_name(modality))).string();
    ASSERT_TRUE(run(loaded));
    for (const auto& [id, features] : expected)
      EXPECT_LE(tolerance::distance(array(id), features), kSame) << id;
  }
}

TEST_F(FeatureRuns, LayersAreNumberedFromWhatTheFirstBlockTakes) {
  config_.layers = {"all"};
  EXPECT_EQ(run(encoder())->shape, "(4, frames, 16)");
  for (const auto& utterance : manifest_.utterances) {
    const auto features = array(utterance.id);
    const auto expected = alone(utterance);
    ASSERT_THAT(features.sizes().vec(), ElementsAre(4, utterance.frames, 16));
    EXPECT_LE(tolerance::distance(features[0], expected.embedded[0]), kSame);
    for (std::int64_t i = 1; i <= 3; ++i) {
      EXPECT_LE(
          tolerance::distance(features[i], expected.blocks[static_cast<std::size_t>(i - 1)][0]),
          kSame);
    }
  }
  config_.layers = {"3", "final", "1"};
  config_.out += "_chosen";
  run(encoder());
  const auto& one = manifest_.utterances.front();
  const auto expected = alone(one);
  EXPECT_LE(tolerance::distance(
                array(one.id),
                torch::stack({expected.blocks[2][0], expected.last[0], expected.blocks[0][0]})),
            kSame);
  config_.mean = true;
  config_.layers = {"2", "3"};
  config_.out += "_mean";
  EXPECT_EQ(run(encoder())->shape, "(frames, 16)");
  EXPECT_LE(tolerance::distance(array(one.id), (expected.blocks[1][0] + expected.blocks[2][0]) / 2),
            kSame);
}

TEST_F(FeatureRuns, SafetensorsSayWhatTheyAre) {
  config_.format = config::FeatureFormat::kSafetensors;
  config_.type = config::FeatureType::kFloat16;
  config_.layers = {"1", "2"};
  config_.data.max_frames = 1;
  const auto loaded = encoder(Modality::kAudio);
  run(loaded);
  const auto file = weights::read_safetensors(fs::path(config_.out) / "s1/1.safetensors");
  const auto& features = file.at("features");
  EXPECT_EQ(features.scalar_type(), torch::kFloat16);
  EXPECT_THAT(features.sizes().vec(), ElementsAre(2, 9, 16));
  EXPECT_EQ(file.metadata, (weights::Metadata{{"format", "raven-features"},
                                              {"format_version", "1"},
                                              {"id", "s1/1"},
                                              {"frame_rate_hz", "25"},
                                              {"model_sha256", loaded.sha256},
                                              {"modality", "audio"},
                                              {"layers", "1, 2"},
                                              {"mean", "false"},
                                              {"type", "float16"},
                                              {"files", "safetensors"}}));
  const auto expected = alone(manifest_.utterances[1], Modality::kAudio).blocks[0][0];
  EXPECT_TRUE(torch::equal(features[0], expected.to(torch::kFloat16)));
}

TEST_F(FeatureRuns, StoppedAnywhereTheyEndWithTheSameBytes) {
  const auto loaded = encoder();
  ASSERT_TRUE(run(loaded));
  const auto whole = files();
  ASSERT_EQ(whole.size(), 8U);
  for (int stops = 1; stops <= 2; ++stops) {
    fs::remove_all(config_.out);
    for (int i = 0; i < stops; ++i) {
      std::stop_source stop;
      const auto counts = run(loaded, stop.get_token(), [&](auto, auto) { stop.request_stop(); });
      EXPECT_FALSE(counts);
    }
    const auto counts = run(loaded);
    ASSERT_TRUE(counts);
    EXPECT_GE(counts->kept, stops);
    EXPECT_EQ(counts->kept + counts->written, 6);
    EXPECT_EQ(files(), whole) << stops;
  }
  EXPECT_EQ(run(loaded)->written, 0);
  fs::remove(fs::path(config_.out) / "s2/2.npy");
  EXPECT_EQ(run(loaded)->written, 1);
  EXPECT_EQ(files(), whole);
}

TEST_F(FeatureRuns, ALongerListAddsToTheFolder) {
  const auto loaded = encoder();
  const auto all = manifest_.utterances;
  manifest_.utterances.resize(2);
  run(loaded);
  manifest_.utterances = all;
  const auto counts = run(loaded);
  EXPECT_EQ(counts->kept, 2);
  EXPECT_EQ(counts->written, 4);
  for (const auto& utterance : all)
    EXPECT_LE(tolerance::distance(array(utterance.id), alone(utterance).last[0]), kSame);
}

TEST_F(FeatureRuns, OtherModelsSettingsAndClipsAreRefused) {
  run(encoder());
  const auto before = files();
  EXPECT_THAT(problem<ConfigError>(encoder(Modality::kVideo, "b")),
              HasSubstr("holds other features; give another folder"));
  EXPECT_THAT(problem<ConfigError>(encoder(Modality::kVideo, "b")), HasSubstr("model_sha256: "));
  config_.layers = {"2"};
  EXPECT_THAT(problem<ConfigError>(encoder()), HasSubstr("layers: final there, 2 here"));
  config_.layers = {"final"};
  config_.type = config::FeatureType::kFloat16;
  EXPECT_THAT(problem<ConfigError>(encoder()), HasSubstr("type: float32 there, float16 here"));
  config_.type = config::FeatureType::kFloat32;
  manifest_.utterances[0].video.member = "s1/1.npy";
  EXPECT_THAT(problem<ConfigError>(encoder()), HasSubstr("'s0/0' was made from "));
  EXPECT_EQ(files(), before);
}

TEST_F(FeatureRuns, UnknownLayersAreRefusedWithTheirRange) {
  auto loaded = encoder();
  config_.layers = {"4"};
  EXPECT_THAT(problem<ConfigError>(loaded), HasSubstr("has 3 blocks: expected 0 (what the first "
                                                      "block takes) to 3, or final"));
  loaded.has_final_norm = false;
  config_.layers = {"final"};
  EXPECT_THAT(problem<ConfigError>(loaded), HasSubstr("its last block is layers=3"));
  EXPECT_FALSE(fs::exists(config_.out));
  EXPECT_THAT(layer_numbers({"all"}, loaded), ElementsAre(0, 1, 2, 3));
}

TEST_F(FeatureRuns, IdsStayInTheFolder) {
  const auto refusal = [&](const std::vector<std::string>& ids) {
    manifest_.utterances.clear();
    for (const auto& id : ids) {
      data::Utterance utterance;
      utterance.id = id;
      manifest_.utterances.push_back(utterance);
    }
    try {
      feature_files(manifest_, config::FeatureFormat::kNpy);
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  for (const std::string id : {"..", "../x", "a/../../x", "/etc/x", "a//b", "a/", "", ".", "a/./b"})
    EXPECT_THAT(refusal({id}), HasSubstr("would leave the folder")) << id;
  EXPECT_THAT(refusal({"a\nb"}), HasSubstr("holds control characters"));
  EXPECT_THAT(refusal({std::string("a\0b", 3)}), HasSubstr("holds control characters"));
  EXPECT_THAT(refusal({std::string(250, 'a')}), HasSubstr("is longer than a file's name"));
  EXPECT_THAT(refusal({"a", "a.npy/b"}), HasSubstr("would make a folder of the file a.npy"));
  EXPECT_THAT(refusal({"a", "a.npy.tmp/b"}), HasSubstr("would make a folder of the file"));
  EXPECT_THAT(refusal({"index.tsv/b"}), HasSubstr("would make a folder of the file index.tsv"));
  EXPECT_EQ(refusal({"a", "a/b", "..a", "a.npy", "index.tsv", "x y/\xC3\xA9"}), "");
}

TEST_F(FeatureRuns, UnreadableClipsAreSkippedUpToTheBudget) {
  const auto loaded = encoder();
  manifest_.utterances[2].video = {.file = "/none.mp4", .member = ""};
  manifest_.utterances[4].frames = 99;
  const auto counts = run(loaded);
  EXPECT_EQ(counts->written, 4);
  EXPECT_EQ(counts->skipped,
            (std::map<std::string, std::int64_t>{{"frame-count", 1}, {"missing", 1}}));
  EXPECT_THAT(read_file(fs::path(config_.out) / "skipped.tsv"), HasSubstr("s2/2\tmissing\t"));
  const auto before = files();
  EXPECT_EQ(run(loaded)->written, 0);
  EXPECT_EQ(files(), before);
  config_.data.max_skipped = 1;
  EXPECT_THAT(problem<SkipBudgetError>(loaded), HasSubstr("2 utterances are unusable"));
  config_.data.max_skipped = 200;
  config_.out += "_none";
  for (auto& utterance : manifest_.utterances)
    utterance.video = {.file = "/none.mp4", .member = ""};
  EXPECT_THAT(problem<SkipBudgetError>(loaded), HasSubstr("not one utterance is usable"));
  manifest_.utterances.clear();
  EXPECT_THAT(problem<ConfigError>(loaded), HasSubstr("lists no utterances"));
}

TEST_F(FeatureRuns, WhatAnEncoderCannotReadIsSkipped) {
  for (auto& utterance : manifest_.utterances) utterance.audio = {};  // raw frames have no sound
  EXPECT_THAT(problem<SkipBudgetError>(encoder(Modality::kAudio)), HasSubstr("no-audio"));
}

TEST_F(FeatureRuns, FeaturesThatAreNoNumbersEndIt) {
  auto broken = encoder();
  const torch::NoGradGuard no_grad;
  auto weight = broken.encoder->named_parameters()["after_norm.weight"];
  weight.fill_(1e6);
  config_.type = config::FeatureType::kFloat16;
  EXPECT_THAT(problem<DataError>(broken),
              HasSubstr("beyond the range of float16; use type=float32"));
  config_.out += "_nan";
  weight.fill_(std::numeric_limits<float>::quiet_NaN());
  EXPECT_THAT(problem<DataError>(broken), HasSubstr("': its features are not numbers"));
  EXPECT_EQ(files().count("s0/3.npy"), 0U);
}

TEST_F(FeatureRuns, AFolderHasOneOwner) {
  make_folders(config_.out);
  const FolderLock lock(config_.out);
  EXPECT_THAT(problem<ConfigError>(encoder()), HasSubstr(config_.out));
}

}  // namespace
}  // namespace raven::evaluation
