// What the tasks write to metrics.jsonl is what metric_names.h says they write: what the report
// reads is there, and all that is there is drawn.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "raven/core/files.h"
#include "raven/report/metric_names.h"
#include "raven/report/page.h"
#include "raven/train/finetune_task.h"
#include "raven/train/pretrain_task.h"
#include "raven/train/trainer.h"
#include "support/drawn_curves.h"
#include "support/rank_metrics.h"
#include "support/temporary_folder.h"
#include "support/tiny_clips.h"
#include "train/tiny_config.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;
using report::Metric;
using report::Moment;
using testing::ContainerEq;
using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kUnits = 7;

/// Real runs of one step, with held-out clips evaluated before and after it and a damaged clip in
/// each list.
class WrittenMetrics : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    torch::set_num_threads(1);  // the networks are tiny
    corpus_ = new TemporaryFolder;
    make_tiny_clips(corpus_->path(), {.clips = 8});
  }
  static void TearDownTestSuite() { delete corpus_; }

  static data::Manifest labelled() {
    auto manifest = data::read_manifest(corpus_->path() / "manifest.tsv");
    auto damaged = manifest.utterances.front();
    damaged.id = "damaged";
    damaged.video.file = corpus_->path() / "damaged.mp4";
    damaged.audio.file = corpus_->path() / "damaged.wav";
    for (const auto& file : {damaged.video.file, damaged.audio.file}) {
      std::ofstream(file) << "no clip";
    }
    manifest.utterances.push_back(damaged);
    for (auto& utterance : manifest.utterances) utterance.labels = {2, 3, 4};
    return manifest;
  }

  template <class Config>
  void train(const std::string& stage, const Config& config, const data::LoaderOptions& loading,
             Task& task) const {
    ClipSource source(labelled(), loading);
    artifacts::RunFolder run(folder());
    run.claim(config::flatten(config), "", {});
    run.write_environment({{"stage", stage}});
    TrainerSettings settings;
    settings.evaluate_every = 1;
    settings.length = {.steps = 1, .warmup_steps = 0};
    settings.config = config::flatten(config);
    ASSERT_TRUE(Trainer(task, source, run, settings).run({}));
  }

  void pretrain() const {
    auto config = tiny_config();
    config.loss.weight = config::PerLoss<double>(1);
    config.monitor.recognition = {
        .enabled = true,
        .text = {},
        .decoder = {.dim = 8, .heads = 2, .ffn_dim = 16, .blocks = 1, .dropout = 0}};
    config.data.max_frames = config.data.valid_max_frames = 1000;  // the step sees every clip
    auto loading = data::training_options(config.data, config.run.seed);
    loading.mask = config.mask;
    loading.labels = true;
    PretrainTask task(config, torch::kCPU, {.steps = 1, .warmup_steps = 0}, labelled(), kUnits);
    train("pretrain", config, loading, task);
  }

  void finetune(config::Modality modality) const {
    config::FinetuneConfig config;
    const auto tiny = tiny_config();
    config.data.video = tiny.data.video;
    config.data.workers = 0;
    config.data.max_frames = config.data.valid_max_frames = 1000;
    config.model.modality = modality;
    config.model.encoder = tiny.model.encoder;
    config.model.video_frontend = tiny.model.video_frontend;
    config.model.audio_frontend = tiny.model.audio_frontend;
    config.model.decoder = {.dim = 8, .heads = 2, .ffn_dim = 16, .blocks = 1};
    FinetuneTask task(config, torch::kCPU,
                      text::Units(std::vector<std::string>{"A", "B", "C", "D"}), labelled(),
                      std::nullopt);
    train("finetune", config, finetune_options(config), task);
  }

  [[nodiscard]] fs::path folder() const { return temporary_.path() / "run"; }

  /// Names by the moment at which they were written; a report has `epoch`.
  [[nodiscard]] std::map<Moment, std::set<std::string>> written() const {
    std::map<Moment, std::set<std::string>> names;
    std::ifstream lines(folder() / "metrics.jsonl");
    for (std::string line; std::getline(lines, line);) {
      const auto numbers = nlohmann::json::parse(line);
      const auto moment = numbers.contains("epoch") ? Moment::kReport : Moment::kEvaluation;
      for (const auto& [name, value] : numbers.items()) {
        if (name != "step") names[moment].insert(name);
      }
    }
    return names;
  }

  void expect_as_in_the_table(bool report::Writers::*stage) const {
    std::set<std::string> missing;  // of the table; a family's members each
    for (const auto& metric : report::kMetrics) {
      if (!(metric.writers.*stage) || metric.name == "device_bytes") continue;  // no GPU here
      for (const auto& name : members_of(metric)) {
        if (!is_of_ranks(name)) missing.insert(name);
      }
    }
    for (const auto& [moment, names] : written()) {
      for (const auto& name : names) {
        const auto known = report::find_metric(name);
        ASSERT_TRUE(known.has_value()) << name << " is not in metric_names.h";
        EXPECT_TRUE(known->metric->writers.*stage) << name << " is of another stage";
        EXPECT_EQ(known->metric->moment, moment) << name;
        missing.erase(known->metric->name.find("<loss>") != std::string_view::npos ||
                              known->metric->name.find("<modality>") != std::string_view::npos
                          ? name
                          : std::string(known->metric->name));
      }
    }
    EXPECT_THAT(missing, testing::IsEmpty()) << "in metric_names.h, but no task writes it";
  }

  /// The curves and the page draw every number that is not a constant 0 of skipped clips.
  void expect_all_drawn() const {
    const auto svg = read_file(folder() / "curves.svg"), html = report::page({folder()});
    std::multiset<Curve> curves;
    for (const auto& [moment, names] : written()) {
      for (const auto& name : names) {
        const auto known = report::find_metric(name);
        if (known && known->metric->panel != report::PanelId::kNone)
          curves.insert(curve_of(*known));
      }
    }
    EXPECT_THAT(drawn_curves(svg), ContainerEq(curves));
    EXPECT_THAT(drawn_curves(html), ContainerEq(curves));
    EXPECT_THAT(html, Not(HasSubstr("id=\"other\"")));
  }

  static TemporaryFolder* corpus_;
  TemporaryFolder temporary_;

 private:
  /// Of <loss> and <modality> all, with any other family (or none) the name as the table has it.
  static std::vector<std::string> members_of(const Metric& metric) {
    const std::string name(metric.name);
    const auto open = name.find('<');
    std::vector<std::string> names;
    const auto placeholder = open == name.npos ? "" : name.substr(open);
    if (placeholder == "<loss>") {
      for (const auto& loss : config::kLossTerms) {
        names.push_back(name.substr(0, open) + std::string(loss.name));
      }
    } else if (placeholder == "<modality>") {
      for (const auto modality : config::kModalities) {
        names.push_back(name.substr(0, open) + config::modality_name(modality));
      }
    } else {
      names.push_back(name);
    }
    return names;
  }
};

TemporaryFolder* WrittenMetrics::corpus_ = nullptr;

TEST_F(WrittenMetrics, OfPretrainingAreThoseOfTheTableAndDrawn) {
  pretrain();
  expect_as_in_the_table(&report::Writers::pretraining);
  expect_all_drawn();
  EXPECT_THAT(report::page({folder()}), HasSubstr("gain over a constant prediction: v2v "));
}

TEST_F(WrittenMetrics, OfFineTuningForVideoAreThoseOfTheTableAndDrawn) {
  finetune(config::Modality::kVideo);
  expect_as_in_the_table(&report::Writers::fine_tuning);
  expect_all_drawn();
}

TEST_F(WrittenMetrics, OfFineTuningForAudioAreThoseOfTheTableAndDrawn) {
  finetune(config::Modality::kAudio);
  expect_as_in_the_table(&report::Writers::fine_tuning);
  expect_all_drawn();
  const auto html = report::page({folder()});
  EXPECT_THAT(html, HasSubstr("held-out WER of the "));
  EXPECT_THAT(html, Not(HasSubstr("Cannot be told")));
}

}  // namespace
}  // namespace raven::train
