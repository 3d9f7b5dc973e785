#include "raven/train/finetune_task.h"
#include "raven/artifacts/run_files.h"
#include "raven/artifacts/vocabulary.h"
#include "raven/models/batch_input.h"

#include <gmock/gmock.h>

#include <cmath>

#include "raven/artifacts/checkpoint_folder.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/nn/state_dict.h"
#include "raven/train/updater.h"
#include "raven/weights/model_card.h"
#include "support/temporary_folder.h"
#include "support/tiny_clips.h"
#include "train/step_inputs_of.h"
#include "train/tiny_recognizer.h"

namespace raven::train {
namespace {

using testing::ElementsAre;

config::FinetuneConfig tiny_config() { return tiny_recognizer(); }

constexpr std::uint64_t kMemory = 1ULL << 30;  // for features that are kept

text::Units units() { return tiny_units(); }

class FinetuneTaskTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    torch::set_num_threads(1);  // the networks are tiny
    corpus_ = new TemporaryFolder;
    make_tiny_clips(corpus_->path(), {.clips = 8});
  }
  static void TearDownTestSuite() { delete corpus_; }

  static data::Manifest manifest() {
    auto manifest = data::read_manifest(corpus_->path() / "manifest.tsv");
    for (std::size_t i = 0; i < manifest.utterances.size(); ++i)
      manifest.utterances[i].labels.assign(i % 3 + 1, static_cast<std::int64_t>(2 + i % 2));
    return manifest;
  }
  static std::vector<data::Batch> batches(const config::FinetuneConfig& config,
                                          std::int64_t count) {
    data::Loader loader(manifest(), finetune_options(config));
    std::vector<data::Batch> result;
    for (std::int64_t i = 0; i < count; ++i) result.push_back(*loader.next());
    return result;
  }

  static TemporaryFolder* corpus_;
};

TemporaryFolder* FinetuneTaskTest::corpus_ = nullptr;

TEST_F(FinetuneTaskTest, RatesFallFromTheTopBlockDownToTheFloor) {
  auto config = tiny_config();
  config.model.encoder.blocks = 4;
  config.optimizer.lr = 1e-3;
  config.optimizer.layer_decay = 0.1;
  config.optimizer.other_lr = 5e-3;
  auto recognizer = make_recognizer(config, units());
  const auto groups = layerwise_groups(*recognizer, config);
  std::vector<std::string> names;
  std::map<std::string, double> rates;
  std::size_t parameters = 0;
  for (const auto& group : groups) {
    names.push_back(group.name);
    rates[group.name] = group.lr;
    parameters += group.parameters.size();
  }
  EXPECT_THAT(names, ElementsAre("after_norm", "block_3", "block_2", "block_1", "block_0", "embed",
                                 "frontend", "ctc", "decoder"));
  EXPECT_DOUBLE_EQ(rates.at("after_norm"), 1e-3);
  EXPECT_DOUBLE_EQ(rates.at("block_3"), 1e-3);
  EXPECT_NEAR(rates.at("block_2"), 1e-4, 1e-12);
  EXPECT_NEAR(rates.at("block_1"), 1e-5, 1e-12);
  EXPECT_DOUBLE_EQ(rates.at("block_0"), 1e-5);  // 1e-6 would be below min_lr
  EXPECT_DOUBLE_EQ(rates.at("frontend"), rates.at("block_0"));
  EXPECT_DOUBLE_EQ(rates.at("embed"), rates.at("block_0"));
  EXPECT_DOUBLE_EQ(rates.at("ctc"), 5e-3);
  EXPECT_DOUBLE_EQ(rates.at("decoder"), 5e-3);
  EXPECT_EQ(parameters, recognizer->parameters().size());
}

TEST_F(FinetuneTaskTest, TheCtcHeadMayHaveTheEncodersRate) {
  auto config = tiny_config();
  config.optimizer.lr = 1e-3;
  config.optimizer.layer_decay = 0.5;  // which is of blocks alone
  config.optimizer.other_lr = 5e-3;
  config.optimizer.ctc_rate = config::CtcRate::kEncoder;
  auto recognizer = make_recognizer(config, units());
  std::map<std::string, double> rates;
  for (const auto& group : layerwise_groups(*recognizer, config)) rates[group.name] = group.lr;
  EXPECT_DOUBLE_EQ(rates.at("ctc"), 1e-3);
  EXPECT_DOUBLE_EQ(rates.at("decoder"), 5e-3);
}

// Labels of 1, 2, 3, 1, ... units: what each norm divides the same sums by.
TEST_F(FinetuneTaskTest, TheDecodersLossMayBeAMeanOverUnits) {
  auto config = tiny_config();
  config.model.frozen = config::FrozenPart::kEncoder;
  config.model.cached_views = 0;
  config.model.encoder.dropout = config.model.decoder.dropout = 0;
  const auto batch = batches(config, 1)[0];
  ASSERT_GT(batch.ids.size(), 1U);
  double tokens = 0;
  for (const auto labels : batch.num_labels_of) tokens += static_cast<double>(labels + 1);
  const auto utterances = static_cast<double>(batch.ids.size());
  const auto part_of = [&](config::AttentionNorm norm) {
    config.loss.attention_norm = norm;
    FinetuneTask task(config, torch::kCPU, units(), {});
    const auto counts = task.count_targets({batch});
    EXPECT_EQ(counts.contains("tokens"), norm == config::AttentionNorm::kTokens);
    return task.backward(batch, inputs_of(counts), false);
  };
  const auto of = [](const StepPart& part, const std::string& name) {
    for (const auto& [loss, value] : part.losses)
      if (loss == name) return value.item<double>();
    return std::nan("");
  };
  const auto none = part_of(config::AttentionNorm::kNone),
             over_tokens = part_of(config::AttentionNorm::kTokens),
             over_utterance = part_of(config::AttentionNorm::kUtterance);
  EXPECT_NEAR(of(over_tokens, "attention"), of(none, "attention") * utterances / tokens, 1e-4);
  EXPECT_LT(of(over_utterance, "attention"), of(none, "attention") / 2);
  for (const auto* part : {&none, &over_tokens, &over_utterance}) {
    EXPECT_NEAR(of(*part, "ctc"), of(none, "ctc"), 1e-5);
    EXPECT_NEAR(part->loss.item<double>(), 0.1 * of(*part, "ctc") + 0.9 * of(*part, "attention"),
                1e-4);
  }
}

TEST_F(FinetuneTaskTest, InputIsZeroBeyondTheEndAndWhereMasked) {
  data::Batch batch;
  batch.video = torch::full({2, 3, 4, 4}, 255, torch::kUInt8);
  batch.lengths = torch::tensor({3, 1});
  batch.masked_video = torch::tensor({{false, true, false}, {false, false, false}});
  const auto x = models::encoder_input(batch, models::Modality::kVideo);
  const auto seen = x.abs().amax({2, 3}) > 0;
  EXPECT_TRUE(torch::equal(seen, torch::tensor({{true, false, true}, {true, false, false}})));
}

TEST_F(FinetuneTaskTest, AccumulatedBatchesMakeTheGradientOfTheirUtterances) {
  auto config = tiny_config();
  config.model.encoder.ffn_norm = config::FfnNorm::kLayer;
  config.model.frozen = config::FrozenPart::kFrontend;  // no BatchNorm statistics are taken then
  config.model.cached_views = 0;
  config.model.encoder.dropout = config.model.decoder.dropout = 0;
  const auto two = batches(config, 2);
  FinetuneTask task(config, torch::kCPU, units(), {});
  const auto counts = task.count_targets(two);
  EXPECT_EQ(counts.at("utterances"), static_cast<double>(two[0].ids.size() + two[1].ids.size()));
  double loss = 0;
  for (const auto& batch : two)
    loss += task.backward(batch, inputs_of(counts), false).loss.item<double>();
  std::vector<torch::Tensor> together;
  for (const auto& [name, parameter] : task.parameter_sets()[0].parameters())
    together.push_back(parameter.grad().clone());
  double alone = 0;
  std::vector<torch::Tensor> sums;
  for (const auto& batch : two) {
    FinetuneTask one(config, torch::kCPU, units(), {});
    const double share = static_cast<double>(batch.ids.size()) / counts.at("utterances");
    alone += share *
             one.backward(batch, inputs_of(one.count_targets({batch})), false).loss.item<double>();
    std::size_t i = 0;
    for (const auto& [name, parameter] : one.parameter_sets()[0].parameters()) {
      if (sums.size() <= i) sums.push_back(torch::zeros_like(parameter));
      sums[i++] += share * parameter.grad();
    }
  }
  EXPECT_NEAR(loss, alone, 1e-4);
  for (std::size_t i = 0; i < sums.size(); ++i)
    EXPECT_TRUE(torch::allclose(together[i], sums[i], 1e-4, 1e-5)) << i;
}

TEST_F(FinetuneTaskTest, LossFallsOnAFewClips) {
  for (const auto modality : {config::Modality::kVideo, config::Modality::kAudio}) {
    auto config = tiny_config();
    config.model.modality = modality;
    config.optimizer.lr = config.optimizer.other_lr = 5e-3;
    config.optimizer.layer_decay = 1;
    FinetuneTask task(config, torch::kCPU, units(), {});
    Updater updater(task, config.optimizer, {.steps = 30, .warmup_steps = 0}, torch::kCPU);
    const auto batch = batches(config, 1);
    double first = 0, last = 0;
    for (std::int64_t step = 0; step < 30; ++step) {
      torch::manual_seed(static_cast<std::uint64_t>(step));
      const auto gradients = updater.gradients(batch, {.step = step});
      for (const auto& [name, value] : gradients.values)
        if (name == "loss") (step == 0 ? first : last) = value.item<double>();
      updater.apply(gradients);
    }
    EXPECT_LT(last, 0.5 * first);
  }
}

TEST_F(FinetuneTaskTest, AFrozenFrontendStaysAsItIsAndItsOutputsAreKept) {
  auto config = tiny_config();
  config.model.frozen = config::FrozenPart::kFrontend;
  config.model.cached_views = 2;
  config.model.encoder.ffn_norm = config::FfnNorm::kLayer;  // blind to what is in padded frames
  config.model.encoder.dropout = config.model.decoder.dropout = 0;
  FinetuneTask task(config, torch::kCPU, units(), {});
  const auto training = task.prepare(manifest(), kMemory, {});
  ASSERT_TRUE(training.ready);
  EXPECT_EQ(training.manifest.utterances.size(), 8U);
  EXPECT_FALSE(training.options.read_video);
  std::vector<torch::Tensor> before;
  std::vector<std::string> names;
  for (const auto& [name, tensor] : nn::state_dict(task.module())) {
    if (name.rfind("encoder.frontend.", 0) != 0) continue;
    names.push_back(name);
    before.push_back(tensor.clone());
  }
  // What is kept equals what the frontend makes of the same view of the clips.
  auto uncached_config = config;
  uncached_config.model.cached_views = 0;
  FinetuneTask uncached(uncached_config, torch::kCPU, units(), {});
  const auto same = uncached.prepare(manifest(), kMemory, {});
  data::Loader kept(training.manifest, training.options), read(same.manifest, same.options);
  const auto a = *kept.next(), b = *read.next();
  ASSERT_EQ(a.ids, b.ids);
  const auto inputs = inputs_of({{"utterances", 1}});
  EXPECT_NEAR(task.backward(a, inputs, false).loss.item<double>(),
              uncached.backward(b, inputs, false).loss.item<double>(), 1e-3);
  Updater updater(task, config.optimizer, {.steps = 10, .warmup_steps = 0}, torch::kCPU);
  updater.apply(updater.gradients({a}, {.step = 5}));
  const auto after = nn::state_dict(task.module());
  std::size_t compared = 0;
  for (const auto& [name, tensor] : after) {
    if (compared < names.size() && name == names[compared]) {
      EXPECT_TRUE(torch::equal(tensor, before[compared])) << name;
      ++compared;
    }
  }
  EXPECT_EQ(compared, names.size());
}

TEST_F(FinetuneTaskTest, StatisticsOfAFrozenPartComeFromTheLabelledClips) {
  auto config = tiny_config();
  config.model.frozen = config::FrozenPart::kFrontend;
  FinetuneTask task(config, torch::kCPU, units(), {});
  const auto mean = [&] {
    return task.recognizer()
        ->named_buffers()["encoder.frontend.trunk.layer1.0.bn1.running_mean"]
        .clone();
  };
  const auto before = mean();
  task.prepare(manifest(), kMemory, {});
  EXPECT_FALSE(torch::allclose(mean(), before));
  const auto first = mean();
  task.prepare(manifest(), kMemory,
               {});  // the same clips give the same statistics, whatever was there
  EXPECT_TRUE(torch::equal(mean(), first));
}

TEST_F(FinetuneTaskTest, HeldOutClipsThatHaveNoLabelsAreCounted) {
  auto held_out = manifest();
  held_out.utterances.resize(3);
  auto config = tiny_config();
  config.data.max_skipped = 0;  // of those that cannot be read
  FinetuneTask task(config, torch::kCPU, units(), held_out);
  task.count_held_out_skips({"a\tcharacters\tno units for 'O'", "b\tno-text\t"});
  const auto numbers = task.evaluate({});
  EXPECT_EQ(numbers.at("valid_skipped"), 2);
  EXPECT_EQ(numbers.at("valid_skipped_characters"), 1);
}

TEST_F(FinetuneTaskTest, AloneCtcTrainsNoDecoder) {
  auto config = tiny_config();
  config.loss.ctc_weight = 1;
  FinetuneTask task(config, torch::kCPU, units(), {});
  for (const auto& [name, parameter] : task.parameter_sets()[0].parameters())
    EXPECT_NE(name.rfind("decoder.", 0), 0U) << name;
  const auto part = task.backward(batches(config, 1)[0], inputs_of({{"utterances", 1}}), true);
  EXPECT_TRUE(std::isfinite(part.loss.item<double>()));
}

TEST_F(FinetuneTaskTest, AnEvaluationChangesNothing) {
  auto config = tiny_config();
  FinetuneTask task(config, torch::kCPU, units(), manifest());
  std::vector<torch::Tensor> before;
  for (const auto& [name, tensor] : nn::state_dict(task.module())) before.push_back(tensor.clone());
  const auto numbers = task.evaluate({});
  EXPECT_TRUE(std::isfinite(numbers.at("valid_loss")));
  EXPECT_TRUE(numbers.count("valid_accuracy"));
  const auto after = nn::state_dict(task.module());
  for (std::size_t i = 0; i < after.size(); ++i)
    EXPECT_TRUE(torch::equal(after[i].second, before[i])) << after[i].first;
  EXPECT_TRUE(task.recognizer()->is_training());
}

TEST(Vocabulary, OfARunIsTheOneThatItsCheckpointsName) {
  const TemporaryFolder run;
  artifacts::CheckpointFolder checkpoints(run.path() / "checkpoints", 2, 0);
  const auto file = run.path() / artifacts::kUnitsFile;
  const auto save = [&](std::int64_t step, std::map<std::string, std::string> run_files) {
    checkpoints.save({.step = step, .run_files = std::move(run_files)}, {}, {});
    return artifacts::read_checkpoint(checkpoints.path_of(step));
  };
  const auto older = save(1, {}),
             newer = save(2, {{artifacts::kUnitsFile, artifacts::units_checksum(units())}});
  EXPECT_FALSE(artifacts::units_of(newer.folder, newer.state).has_value());
  write_file_atomically(file, units().text());
  EXPECT_EQ(artifacts::units_of(newer.folder, newer.state), units());
  EXPECT_EQ(artifacts::units_of(older.folder, older.state), units());
  auto bytes = read_file(file);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[at] = static_cast<char>(bytes[at] ^ 1 << bit);
      write_file_atomically(file, bytes);
      try {
        EXPECT_EQ(artifacts::units_of(newer.folder, newer.state),
                  units());  // a blank at the end of a line
      } catch (const Error&) {
      }
      bytes[at] = static_cast<char>(bytes[at] ^ 1 << bit);
    }
  }
}

TEST(Vocabulary, BesideAModelIsTheOneThatItsSettingsName) {
  const TemporaryFolder folder;
  const auto model = folder.path() / "m.pth", file = folder.path() / "m.units.txt";
  EXPECT_FALSE(artifacts::units_beside(model).has_value());
  write_file_atomically(file, units().text());
  EXPECT_EQ(artifacts::units_beside(model), units()) << "settings are not there";
  const auto settings = weights::settings_text({{"units", units().text()}});
  write_file_atomically(folder.path() / "m.settings.json", settings);
  EXPECT_EQ(artifacts::units_beside(model), units());
  write_file_atomically(file, text::Units(std::vector<std::string>{"A", "B", "G"}).text());
  EXPECT_THROW(artifacts::units_beside(model), CheckpointError);
}

}  // namespace
}  // namespace raven::train
