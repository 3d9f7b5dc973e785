#include "raven/evaluation/probe_run.h"

#include <gmock/gmock.h>

#include "evaluation/tiny_encoder.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/data/loader.h"
#include "support/temporary_folder.h"
#include "support/tiny_clips.h"

namespace raven::evaluation {
namespace {

namespace fs = std::filesystem;
using models::Modality;
using testing::HasSubstr;

/// Clips of talking mouths, and encoders with random weights: what is plain to see or hear can be
/// read out of those, too.
class ProbeRun : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    torch::set_num_threads(1);
    folder_ = new TemporaryFolder;
    make_tiny_clips(folder_->path(), {.clips = 24});
    manifest_ = new data::Manifest(data::read_manifest(folder_->path() / "manifest.tsv"));
    for (std::size_t i = 0; i < manifest_->utterances.size(); ++i)
      manifest_->utterances[i].speaker = "s" + std::to_string(i % 4);
    write_openings();
  }
  static void TearDownTestSuite() {
    delete manifest_;
    delete folder_;
  }

  /// Of each frame whether the mouth is open, as its dark pixels tell.
  static void write_openings() {
    auto options = data::held_out_options(config::DataConfig(), 0, *manifest_);
    options.workers = 0;
    data::Loader loader(*manifest_, options);
    std::string text = "id\tbegin_s\tend_s\tlabel\n";
    while (const auto batch = loader.next()) {
      for (std::int64_t b = 0; b < std::ssize(batch->ids); ++b) {
        const auto dark = batch->video[b].lt(95).sum({1, 2});  // (T)
        for (std::int64_t t = 0; t < batch->lengths[b].item<std::int64_t>(); ++t) {
          text += fmt::format("{}\t{:.2f}\t{:.2f}\t{}\n", batch->ids[static_cast<std::size_t>(b)],
                              0.04 * static_cast<double>(t), 0.04 * static_cast<double>(t + 1),
                              dark[t].item<std::int64_t>() > 800 ? "open" : "closed");
        }
      }
    }
    write_file_atomically(labels(), text);
  }
  static std::string labels() { return (folder_->path() / "mouth.tsv").string(); }

  static LoadedEncoder encoder(Modality modality) {
    torch::manual_seed(modality == Modality::kVideo ? 1 : 2);
    const auto model = tiny_settings().model;
    const models::Encoder random(modality, model.encoder, model.frontend_of(modality));
    const auto file = folder_->path() / (config::modality_name(modality) + ".safetensors");
    return load_encoder(write_encoder(file, random, modality));
  }
  static ProbeResults run(const config::ProbeConfig& config, const data::Manifest& manifest,
                          std::vector<Modality> modalities = {Modality::kVideo}) {
    std::vector<LoadedEncoder> encoders;
    for (const auto modality : modalities) encoders.push_back(encoder(modality));
    auto results = run_probes(encoders, manifest, config, torch::kCPU, {}, [](auto, auto) {});
    EXPECT_TRUE(results.has_value());
    return *results;
  }
  static config::ProbeConfig settings() {
    config::ProbeConfig config;
    config.labels = {labels()};
    config.data.workers = 0;
    config.retrieval.window = 10;
    return config;
  }

  inline static TemporaryFolder* folder_ = nullptr;
  inline static data::Manifest* manifest_ = nullptr;
};

TEST_F(ProbeRun, ReadsOpenMouthsOfOtherSpeakers) {
  auto config = settings();
  config.layers = {"0", "final"};
  const auto results = run(config, *manifest_);
  ASSERT_EQ(results.probes.size(), 2U);
  const auto& first = results.probes.front();
  EXPECT_EQ(first.modality, "video");
  EXPECT_EQ(first.layer, "0");
  EXPECT_EQ(results.probes.back().layer, "final");
  EXPECT_EQ(first.labels, "mouth");
  EXPECT_EQ(first.split, "speaker");
  EXPECT_EQ(first.classes, 2);
  EXPECT_EQ(first.fitted + first.scored, manifest_->total_frames());
  EXPECT_GT(first.linear, 0.8);
  EXPECT_GT(first.nearest, 0.9);
  EXPECT_LT(first.majority, 0.75);
  EXPECT_TRUE(results.retrieval.empty());
}

TEST_F(ProbeRun, TakesNoMoreSamplesThanAskedForWhateverTheWorkers) {
  auto config = settings();
  config.samples = 50;
  const auto few = run(config, *manifest_).probes.front();
  EXPECT_EQ(few.fitted, 50);
  EXPECT_EQ(few.scored, 50);
  config.data.workers = 2;
  const auto again = run(config, *manifest_).probes.front();
  EXPECT_EQ(again.linear, few.linear);
  EXPECT_EQ(again.nearest, few.nearest);
}

TEST_F(ProbeRun, SpeakersAreReadFromOtherUtterancesOfTheirs) {
  auto config = settings();
  config.labels = {"speaker"};
  const auto result = run(config, *manifest_).probes.front();
  EXPECT_EQ(result.split, "utterance");
  EXPECT_EQ(result.fitted + result.scored, 24);
  EXPECT_LE(result.classes, 4);
  EXPECT_GE(result.classes, 2);
}

TEST_F(ProbeRun, LeavesOutLabelsOfOneHalfAlone) {
  auto config = settings();
  auto text = read_file(labels());
  const auto first = text.find("open");
  text.replace(first, 4, "once");
  const auto other = folder_->path() / "rare.tsv";
  write_file_atomically(other, text);
  config.labels = {other.string()};
  const auto result = run(config, *manifest_).probes.front();
  EXPECT_EQ(result.classes, 2);
  EXPECT_EQ(result.left_out, 1);
  EXPECT_EQ(result.fitted + result.scored, manifest_->total_frames() - 1);
}

TEST_F(ProbeRun, SoundFindsItsLips) {
  auto config = settings();
  config.split = config::ProbeSplit::kUtterance;
  config.labels.clear();
  config.layers = {"0"};
  const auto results = run(config, *manifest_, {Modality::kVideo, Modality::kAudio});
  EXPECT_TRUE(results.probes.empty());
  ASSERT_EQ(results.retrieval.size(), 2U);
  for (const auto& found : results.retrieval) {
    EXPECT_EQ(found.clips + found.fitted, 24);
    // The louder the voice, the wider the mouth; by chance it would be the middle.
    EXPECT_LT(found.scores.median_rank, 0.35 * static_cast<double>(found.clips)) << found.query;
  }
  EXPECT_EQ(results.retrieval[0].query, "audio");
  EXPECT_EQ(results.retrieval[1].query, "video");
  config.retrieval.window = 18;
  const auto longer = run(config, *manifest_, {Modality::kVideo, Modality::kAudio}).retrieval[0];
  EXPECT_GT(longer.too_short, 0);
  EXPECT_EQ(longer.clips + longer.fitted + longer.too_short, 24);
  config.retrieval.enabled = false;
  EXPECT_TRUE(run(config, *manifest_, {Modality::kVideo, Modality::kAudio}).retrieval.empty());
}

TEST_F(ProbeRun, SaysThatOneSpeakerCannotBeSplit) {
  auto manifest = *manifest_;
  for (auto& utterance : manifest.utterances) utterance.speaker = "one";
  try {
    run(settings(), manifest);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no label of mouth in one of the halves (split=speaker); "
                                        "split=utterance"));
  }
}

TEST_F(ProbeRun, EndsWhereItIsStopped) {
  std::vector<LoadedEncoder> encoders;
  encoders.push_back(encoder(Modality::kVideo));
  std::stop_source stop;
  const auto config = settings();
  const auto results = run_probes(encoders, *manifest_, config, torch::kCPU, stop.get_token(),
                                  [&](auto, auto) { stop.request_stop(); });
  EXPECT_FALSE(results);
}

}  // namespace
}  // namespace raven::evaluation
