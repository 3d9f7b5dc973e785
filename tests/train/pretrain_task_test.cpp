#include "raven/train/pretrain_task.h"
#include "raven/models/batch_input.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <set>

#include "raven/artifacts/checkpoint.h"
#include "raven/core/error.h"
#include "raven/data/loader.h"
#include "raven/nn/state_dict.h"
#include "raven/train/finetune_task.h"
#include "raven/train/updater.h"
#include "support/logged.h"
#include "support/temporary_folder.h"
#include "support/tiny_clips.h"
#include "train/step_inputs_of.h"
#include "train/tiny_config.h"

namespace raven::train {
namespace {

constexpr RunLength kLength{.steps = 100, .warmup_steps = 0};

StepInputs at_step(const PretrainTask& task, std::int64_t step) {
  return StepInputs(torch::kCPU, {.settings = task.settings_at(step)});
}

class PretrainTaskTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    torch::set_num_threads(1);  // the networks are tiny
    corpus_ = new TemporaryFolder;
    make_tiny_clips(corpus_->path(), {.clips = 8});
  }
  static void TearDownTestSuite() { delete corpus_; }

  static data::Manifest manifest() { return data::read_manifest(corpus_->path() / "manifest.tsv"); }
  static data::Batch batch(const config::PretrainConfig& config) {
    data::Loader loader(manifest(), {.max_frames = config.data.max_frames,
                                     .workers = 0,
                                     .video = config.data.video,
                                     .mask = config.mask});
    return *loader.next();
  }

  static TemporaryFolder* corpus_;
};

TemporaryFolder* PretrainTaskTest::corpus_ = nullptr;

TEST_F(PretrainTaskTest, InputIsZeroWhereThereIsNoFrame) {
  data::Batch batch;
  batch.video = torch::full({2, 3, 4, 4}, 255, torch::kUInt8);
  batch.audio = torch::zeros({2, 3 * 640});
  batch.lengths = torch::tensor({3, 1});
  const auto input = models::pretrain_input(batch);
  EXPECT_EQ(input.video[1].slice(0, 1).abs().max().item<float>(), 0.0F);
  EXPECT_NEAR(input.video[1][0][0][0].item<float>(), (0.9999 - 0.421) / 0.165, 1e-5);
  EXPECT_TRUE(torch::equal(input.valid, torch::tensor({{true, true, true}, {true, false, false}})));
  EXPECT_EQ(input.audio.sizes(), (std::vector<std::int64_t>{2, 1920, 1}));
}

TEST_F(PretrainTaskTest, WeightsFollowFromTheSeed) {
  const auto config = tiny_config();
  const auto first = make_raven(config, torch::kCPU), same = make_raven(config, torch::kCPU);
  auto other_config = config;
  other_config.run.seed = 4;
  const auto other = make_raven(other_config, torch::kCPU);
  const auto weight = [](const models::Raven& model) { return model->parameters().front(); };
  EXPECT_TRUE(torch::equal(weight(first), weight(same)));
  EXPECT_FALSE(torch::equal(weight(first), weight(other)));
}

TEST_F(PretrainTaskTest, StudentsMayStartFromEncodersAndTeachersAreTheirCopies) {
  auto config = tiny_config();
  config.run.seed = 9;
  auto first = make_raven(config, torch::kCPU);
  artifacts::EncoderSource video{
      .path = "video.safetensors", .step = {}, .encoder = {}, .others = {}};
  for (const auto& [name, tensor] : nn::state_dict(*first->student_video))
    video.encoder.tensors.emplace_back(name, tensor.detach() + 1);
  config.run.seed = 3;
  const auto seeded = make_raven(config, torch::kCPU);
  auto started =
      make_raven(config, torch::kCPU, /*num_units=*/0, {{config::Modality::kVideo, video}});
  const auto equal = [](const torch::nn::Module& a, const torch::nn::Module& b) {
    const auto x = nn::state_dict(a), y = nn::state_dict(b);
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (!torch::equal(x[i].second, y[i].second)) return false;
    }
    return true;
  };
  const auto& student = nn::state_dict(*started->student_video);
  for (std::size_t i = 0; i < student.size(); ++i)
    EXPECT_TRUE(torch::equal(student[i].second, video.encoder.tensors[i].second))
        << student[i].first;
  EXPECT_TRUE(equal(*started->teacher_video, *started->student_video));
  EXPECT_TRUE(equal(*started->student_audio, *seeded->student_audio));
  EXPECT_TRUE(equal(*started->predictors["v2a"], *seeded->predictors["v2a"]));
  EXPECT_FALSE(equal(*started->student_video, *seeded->student_video));
}

TEST_F(PretrainTaskTest, SetsAreDisjointAndLeaveTheTeachersOut) {
  PretrainTask task(tiny_config(), torch::kCPU, kLength, {});
  const auto sets = task.parameter_sets();
  ASSERT_EQ(sets.size(), 2U);
  std::set<std::string> names;
  for (const auto& set : sets) {
    for (const auto& [name, parameter] : set.parameters()) {
      EXPECT_TRUE(names.insert(name).second) << name;
      EXPECT_EQ(name.rfind("teacher", 0), std::string::npos);
    }
  }
  std::size_t trained = 0;
  for (const auto& parameter : task.module().parameters())
    trained += parameter.requires_grad() ? 1 : 0;
  EXPECT_EQ(names.size(), trained);
}

TEST_F(PretrainTaskTest, LossIsTheWeightedSumOfTheMeans) {
  auto config = tiny_config();
  config.loss.weight["a2a"] = 2.0;
  PretrainTask task(config, torch::kCPU, kLength, {});
  const auto example = batch(config);
  const auto part =
      task.backward(example, inputs_of(task.count_targets({example})), /*measure=*/true);
  ASSERT_EQ(part.losses.size(), 3U);
  std::map<std::string, double> losses;
  for (const auto& [name, value] : part.losses) {
    losses[name] = value.item<double>();
    EXPECT_LT(std::abs(losses[name]), 1.0) << name;
  }
  EXPECT_NEAR(part.loss.item<double>(), losses["v2a"] + 2 * losses["a2a"] + losses["a2v"], 1e-5);
  for (const char* name : {"gain_v2a", "gain_a2a", "gain_a2v", "target_spread_video",
                           "target_rank_audio", "prediction_spread_v2a", "prediction_rank_a2v"}) {
    EXPECT_TRUE(part.measures.count(name) == 1 && std::isfinite(part.measures.at(name))) << name;
  }
}

TEST_F(PretrainTaskTest, MeasuringChangesNothing) {
  const auto config = tiny_config();
  const auto gradients = [&](bool measure) {
    PretrainTask task(config, torch::kCPU, kLength, {});
    torch::manual_seed(9);
    const auto example = batch(config);
    task.backward(example, inputs_of(task.count_targets({example})), measure);
    return task.model()->student_video->parameters().front().grad().clone();
  };
  EXPECT_TRUE(torch::equal(gradients(false), gradients(true)));
}

/// Tiny networks without chance in them, with or without recognition probes of 7 units.
TEST_F(PretrainTaskTest, MaskedShareIsOfRealFrames) {
  const auto config = tiny_config();
  PretrainTask task(config, torch::kCPU, kLength, {});
  auto example = batch(config);
  const auto frames = example.lengths.sum().item<double>();
  ASSERT_LT(frames, static_cast<double>(example.masked_video.numel())) << "some are padding";
  example.masked_video.fill_(false);
  example.masked_video.narrow(1, 0, 2).fill_(true);  // two frames of each clip
  example.masked_audio.fill_(true);                  // also where there is no frame
  const auto part =
      task.backward(example, inputs_of(task.count_targets({example})), /*measure=*/true);
  const auto clips = static_cast<double>(example.lengths.size(0));
  EXPECT_NEAR(part.measures.at("masked_share_video"), 2 * clips / frames, 1e-6);
  EXPECT_DOUBLE_EQ(part.measures.at("masked_share_audio"), 1);
}

class RecognitionProbes : public PretrainTaskTest {
 protected:
  static config::PretrainConfig config_with(bool enabled) {
    auto config = tiny_config();
    config.model.encoder.dropout = 0;
    for (auto& predictor : config.model.predictors.of) {
      predictor.dropout = 0;
    }
    config.monitor.recognition = {
        .enabled = enabled,
        .text = {},
        .decoder = {.dim = 8, .heads = 2, .ffn_dim = 16, .blocks = 1, .dropout = 0}};
    return config;
  }

  static PretrainTask task_with(bool enabled, data::Manifest held_out = {}) {
    return {config_with(enabled), torch::kCPU, kLength, std::move(held_out), enabled ? 7 : 0};
  }

  /// Every utterance but the first says three units.
  static data::Manifest labelled() {
    auto read = manifest();
    for (std::size_t i = 1; i < read.utterances.size(); ++i) read.utterances[i].labels = {2, 3, 4};
    return read;
  }

  static data::Batch labelled_batch() {
    const auto config = config_with(true);
    data::Loader loader(labelled(), {.max_frames = 1000,
                                     .workers = 0,
                                     .video = config.data.video,
                                     .mask = config.mask,
                                     .labels = true});
    return *loader.next();
  }
};

TEST_F(RecognitionProbes, LeaveWeightsAndGradientsOfTheOthersAsTheyAre) {
  auto with = task_with(true), without = task_with(false);
  const auto example = labelled_batch();
  const auto part =
      with.backward(example, inputs_of(with.count_targets({example})), /*measure=*/false);
  const auto plain = without.backward(example, inputs_of(without.count_targets({example})), false);
  EXPECT_EQ(part.loss.item<double>(), plain.loss.item<double>());
  for (const auto& parameter : without.module().named_parameters()) {
    const auto same = with.module().named_parameters()[parameter.key()];
    EXPECT_TRUE(torch::equal(same, parameter.value())) << parameter.key();
    ASSERT_EQ(same.grad().defined(), parameter.value().grad().defined()) << parameter.key();
    if (same.grad().defined()) {
      EXPECT_TRUE(torch::equal(same.grad(), parameter.value().grad())) << parameter.key();
    }
  }
}

TEST_F(RecognitionProbes, AreClippedByThemselvesWhereAskedFor) {
  auto config = config_with(true);
  const auto sets = [&](config::ClippedNorm clip) {
    config.optimizer.clip = clip;
    PretrainTask task(config, torch::kCPU, kLength, {}, /*num_units=*/7);
    std::map<std::string, std::size_t> sizes;
    for (const auto& set : task.parameter_sets()) sizes[set.name] = set.parameters().size();
    return sizes;
  };
  const auto all = sets(config::ClippedNorm::kAll), apart = sets(config::ClippedNorm::kStudent);
  ASSERT_EQ(all.size(), 2U);
  ASSERT_EQ(apart.size(), 4U);
  for (const std::string modality : {"video", "audio"})
    EXPECT_EQ(apart.at(modality) + apart.at("probe_" + modality), all.at(modality));
  // A student's norm is then what it is without probes.
  const auto norm = [&](bool enabled, config::ClippedNorm clip) {
    auto given = config_with(enabled);
    given.optimizer.clip = clip;
    PretrainTask task(given, torch::kCPU, kLength, {}, enabled ? 7 : 0);
    Updater updater(task, given.optimizer, kLength, torch::kCPU);
    for (const auto& [name, value] : updater.gradients({labelled_batch()}, {}).values) {
      if (name == "grad_norm_video") return value.item<double>();
    }
    return -1.0;
  };
  const auto without = norm(false, config::ClippedNorm::kAll);
  EXPECT_NEAR(norm(true, config::ClippedNorm::kStudent), without, 1e-6 * without);
  EXPECT_GT(norm(true, config::ClippedNorm::kAll), 1.5 * without);
}

TEST_F(RecognitionProbes, AreTrainedAndReportedForEachModality) {
  auto task = task_with(true);
  const auto example = labelled_batch();
  const auto counts = task.count_targets({example});
  EXPECT_EQ(counts.at("labelled"), static_cast<double>(example.ids.size() - 1));
  const auto part = task.backward(example, inputs_of(counts), /*measure=*/true);
  std::map<std::string, double> losses;
  for (const auto& [name, value] : part.losses) losses[name] = value.item<double>();
  // The same by hand: what each probe makes of its own student's features of the masked clips.
  const auto input = models::pretrain_input(example);
  auto model = task.model();
  const auto targets = model->targets(input);
  const auto expect_readings = [&](const std::string& modality, models::RecognitionProbe& probe,
                                   const std::vector<models::TermOutput>& terms) {
    const auto readings =
        probe->losses(terms.front().features, input.valid, models::labels_of(example));
    EXPECT_NEAR(losses.at("recognition_ctc_" + modality),
                readings.ctc.item<double>() / counts.at("labelled"), 1e-4);
    EXPECT_NEAR(losses.at("recognition_attention_" + modality),
                readings.attention.item<double>() / counts.at("labelled"), 1e-4);
    EXPECT_NEAR(part.measures.at("recognition_accuracy_" + modality),
                readings.correct.item<double>() / readings.count.item<double>(), 1e-6);
  };
  expect_readings("video", model->probe_video,
                  model->terms(config::Modality::kVideo, input, targets));
  expect_readings("audio", model->probe_audio,
                  model->terms(config::Modality::kAudio, input, targets));
  EXPECT_NE(losses.at("recognition_ctc_video"), losses.at("recognition_ctc_audio"));
  std::size_t probes = 0;
  for (const auto& set : task.parameter_sets()) {
    for (const auto& [name, parameter] : set.parameters()) {
      if (name.rfind("probe_" + set.name, 0) != 0) continue;
      EXPECT_TRUE(parameter.grad().defined()) << name;
      ++probes;
    }
  }
  EXPECT_EQ(probes, task.model()->probe_video->parameters().size() * 2);
}

TEST_F(RecognitionProbes, SharesOfABatchAddUpToIt) {
  const auto loss_of = [&](const std::vector<data::Batch>& batches) {
    auto task = task_with(true);
    const auto counts = task.count_targets(batches);
    double loss = 0;
    for (const auto& batch : batches) {
      for (const auto& [name, value] : task.backward(batch, inputs_of(counts), false).losses) {
        if (name == "recognition_ctc_video") loss += value.item<double>();
      }
    }
    return loss;
  };
  const auto example = labelled_batch();
  EXPECT_NEAR(loss_of({example, example}), loss_of({example}), 1e-4);
}

TEST_F(RecognitionProbes, ReadHeldOutClips) {
  auto task = task_with(true, labelled());
  const auto before = task.evaluate({});
  const auto expect_audio_as_before = [&](const Numbers& numbers) {
    for (const std::string number : {"ctc", "attention", "accuracy"}) {
      const auto name = "valid_recognition_" + number + "_audio";
      EXPECT_EQ(numbers.at(name), before.at(name)) << name;
    }
  };
  // Of the units 2, 3, 4 and the end, a decoder that prefers the blank gets none, one that prefers
  // unit 2 a quarter.
  torch::NoGradGuard no_grad;
  auto& probe = task.model()->probe_video;
  for (auto& parameter : probe->parameters()) parameter.zero_();
  const auto erased = task.evaluate({});
  EXPECT_EQ(erased.at("valid_recognition_accuracy_video"), 0);
  // All units alike against targets of 0.9 and six times 0.1 / 6 (label smoothing).
  const double uniform = std::log(7) + 0.9 * std::log(0.9) + 0.1 * std::log(0.1 / 6);
  EXPECT_NEAR(erased.at("valid_recognition_attention_video"), 4 * uniform, 1e-4);
  expect_audio_as_before(erased);
  probe->named_parameters()["decoder.output_layer.bias"][2] = 5;
  const auto biased = task.evaluate({});
  EXPECT_EQ(biased.at("valid_recognition_accuracy_video"), 0.25);
  expect_audio_as_before(biased);
}

TEST_F(PretrainTaskTest, TeachersFollowByTheScheduledMomentum) {
  auto config = tiny_config();
  config.teacher.momentum = 0.5;
  PretrainTask task(config, torch::kCPU, kLength, {});
  torch::NoGradGuard no_grad;
  auto student = task.model()->student_video->parameters().front();
  auto teacher = task.model()->teacher_video->parameters().front();
  student.fill_(1.0);
  teacher.zero_();
  task.after_update(at_step(task, 0), torch::zeros({}));
  EXPECT_FLOAT_EQ(teacher.flatten()[0].item<float>(), 0.5F);
  task.after_update(at_step(task, 50), torch::zeros({}));  // half-way: momentum 0.75
  EXPECT_FLOAT_EQ(teacher.flatten()[0].item<float>(), 0.5F * 0.75F + 0.25F);
}

TEST_F(PretrainTaskTest, ABadStepChangesNoWeightOfStudentsOrTeachers) {
  auto config = tiny_config();
  config.teacher.momentum = 0.5;
  PretrainTask task(config, torch::kCPU, kLength, {});
  {
    torch::NoGradGuard no_grad;
    for (auto& parameter : task.model()->student_audio->parameters()) parameter.add_(0.01);
  }
  std::vector<torch::Tensor> before;
  for (const auto& parameter : task.module().parameters())
    before.push_back(parameter.detach().clone());
  Updater updater(task, config.optimizer, kLength, torch::kCPU);
  auto bad = batch(config);
  bad.audio = bad.audio * std::numeric_limits<double>::quiet_NaN();
  updater.apply(updater.gradients({bad}, {.step = 0}));
  const auto after = task.module().parameters();
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(torch::equal(before[i], after[i]));
  updater.apply(updater.gradients({batch(config)}, {.step = 1}));
  EXPECT_FALSE(torch::equal(before[0], after[0]));
}

TEST_F(PretrainTaskTest, FixedTeacherKeepsTheWeightsOfItsFile) {
  const TemporaryFolder folder;
  auto config = tiny_config();
  PretrainTask(config, torch::kCPU, kLength, {}).export_results(folder.path());
  const auto file = folder.path() / "encoders" / "audio.safetensors";
  config.run.seed = 77;
  config.teacher.audio_weights = file.string();
  PretrainTask task(config, torch::kCPU, kLength, {});
  const auto saved = weights::read_safetensors(file);
  const auto matches = [&] {
    for (const auto& [name, tensor] : nn::state_dict(*task.model()->teacher_audio)) {
      if (!torch::equal(tensor, saved.at("encoder." + name))) return false;
    }
    return true;
  };
  EXPECT_TRUE(matches());
  task.after_update(at_step(task, 0), torch::zeros({}));
  EXPECT_TRUE(matches());
  EXPECT_EQ(saved.metadata.at("modality"), "audio");
  EXPECT_EQ(saved.metadata.at("model.encoder.dim"), "16");
}

TEST_F(PretrainTaskTest, TeacherFileOfAnotherShapeIsRefused) {
  const TemporaryFolder folder;
  auto config = tiny_config();
  PretrainTask(config, torch::kCPU, kLength, {}).export_results(folder.path());
  config.teacher.audio_weights = (folder.path() / "encoders" / "audio.safetensors").string();
  config.model.encoder.ffn_dim = 64;
  EXPECT_THROW(PretrainTask(config, torch::kCPU, kLength, {}), CheckpointError);
}

TEST_F(PretrainTaskTest, LookingAtHeldOutClipsChangesNoStateAndIsRepeatable) {
  auto config = tiny_config();
  config.monitor.probe_utterances = 6;
  PretrainTask task(config, torch::kCPU, kLength, manifest());
  NamedTensors before;
  for (const auto& [name, tensor] : nn::state_dict(task.module())) {
    before.emplace_back(name, tensor.detach().clone());
  }
  std::vector<bool> modes;
  for (const auto& part : task.module().modules()) modes.push_back(part->is_training());
  const auto numbers = task.evaluate({});
  for (const char* name :
       {"valid_loss", "valid_v2a", "valid_gain_a2v", "probe_r2_video", "probe_r2_audio"}) {
    EXPECT_TRUE(numbers.count(name) == 1 && std::isfinite(numbers.at(name))) << name;
  }
  std::size_t i = 0;
  for (const auto& [name, tensor] : nn::state_dict(task.module())) {
    EXPECT_TRUE(torch::equal(tensor, before[i++].second)) << name;
  }
  i = 0;
  for (const auto& part : task.module().modules()) EXPECT_EQ(part->is_training(), modes[i++]);
  EXPECT_EQ(task.evaluate({}), numbers);
}

TEST_F(PretrainTaskTest, AStoppedLookGivesNothing) {
  PretrainTask task(tiny_config(), torch::kCPU, kLength, manifest());
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(task.evaluate(stop.get_token()).empty());
}

TEST_F(PretrainTaskTest, HeldOutClipsAreSpreadOverTheWholeList) {
  auto config = tiny_config();
  config.monitor.probe_utterances = 3;
  data::Manifest listed;
  for (int i = 0; i < 9; ++i) {
    data::Utterance utterance;
    utterance.id = std::to_string(i);
    listed.utterances.push_back(utterance);
  }
  std::vector<std::string> ids;
  const HeldOut held_out(config, listed);
  for (const auto& utterance : held_out.manifest().utterances) ids.push_back(utterance.id);
  EXPECT_EQ(ids, (std::vector<std::string>{"0", "3", "6"}));
}

TEST_F(PretrainTaskTest, HeldOutClipsOfOneSpeakerAreNoProbeAndItIsSaid) {
  const auto config = tiny_config();
  data::Manifest listed;
  for (int i = 0; i < 4; ++i)
    listed.utterances.push_back({.id = std::to_string(i), .frames = 10, .speaker = "alone"});
  EXPECT_THAT(logged([&] { HeldOut(config, listed); }),
              testing::HasSubstr("4 clips (monitor.probe_utterances) are of one speaker"));
  listed.utterances.back().speaker = "another";
  EXPECT_THAT(logged([&] { HeldOut(config, listed); }), testing::IsEmpty());
}

TEST_F(PretrainTaskTest, HalvesOfTheProbeShareNoSpeaker) {
  data::Manifest listed;
  for (int i = 0; i < 40; ++i) {
    data::Utterance utterance;
    utterance.id = "clip" + std::to_string(i);
    if (i < 30) utterance.speaker = "speaker" + std::to_string(i % 5);
    utterance.frames = 10;
    listed.utterances.push_back(utterance);
  }
  const auto fits = split_by_speaker(listed);
  std::map<std::string, std::set<bool>> halves;
  int fitted = 0;
  for (const auto& utterance : listed.utterances) {
    if (!utterance.speaker.empty()) halves[utterance.speaker].insert(fits.at(utterance.id));
    fitted += fits.at(utterance.id) ? 1 : 0;
  }
  EXPECT_EQ(halves.size(), 5U);
  for (const auto& [speaker, sides] : halves) EXPECT_EQ(sides.size(), 1U) << speaker;
  EXPECT_NEAR(fitted, 20, 6);  // one speaker's clips
}

TEST_F(PretrainTaskTest, HeldOutClipsMayBeLongerThanTrainingBatches) {
  auto config = tiny_config();
  config.data.valid_max_frames = 5;  // no clip is that short
  PretrainTask task(config, torch::kCPU, kLength, manifest());
  EXPECT_EQ(task.evaluate({}).count("valid_loss"), 1U);
}

/// Without dropout and with BatchNorm taken as in evaluation, a clip's gradients do not depend on
/// the clips beside it.
TEST_F(PretrainTaskTest, AccumulatedBatchesGiveSumsOverBothByTheJointCounts) {
  auto config = tiny_config();
  config.model.encoder.dropout = config.model.encoder.drop_path = 0;
  for (auto& predictor : config.model.predictors.of) {
    predictor.dropout = 0;
  }
  data::Loader loader(manifest(), {.max_frames = config.data.max_frames,
                                   .workers = 0,
                                   .video = config.data.video,
                                   .mask = config.mask});
  const auto first = *loader.next();
  auto second = *loader.next();
  second.masked_audio = torch::zeros_like(second.masked_audio);
  second.masked_audio.select(1, 0).fill_(true);  // far fewer than in the first batch

  struct Result {
    std::map<std::string, torch::Tensor> gradients;
    std::map<std::string, double> values;
    Counts counts;
  };
  const auto result_of = [&](const std::vector<data::Batch>& batches) {
    PretrainTask task(config, torch::kCPU, kLength, {});
    for (const auto& part : task.module().modules()) {
      if (part->named_buffers(/*recurse=*/false).contains("running_mean")) part->eval();
    }
    Updater updater(task, config.optimizer, kLength, torch::kCPU);
    Result result;
    for (const auto& [name, value] : updater.gradients(batches, {}).values) {
      result.values[name] = value.item<double>();
    }
    for (const auto& item : task.module().named_parameters()) {
      if (item.value().grad().defined()) {
        result.gradients[item.key()] = item.value().grad().clone();
      }
    }
    result.counts = task.count_targets(batches);
    return result;
  };
  const auto a = result_of({first}), b = result_of({second}), both = result_of({first, second});
  ASSERT_GT(a.counts.at("a2a"), b.counts.at("a2a")) << "equal counts hide a wrong weighting";
  for (const std::string term : {"v2a", "a2a", "a2v"}) {
    const double joint = both.counts.at(term);
    EXPECT_EQ(joint, a.counts.at(term) + b.counts.at(term)) << term;
    const double sums =
        a.counts.at(term) * a.values.at(term) + b.counts.at(term) * b.values.at(term);
    EXPECT_NEAR(both.values.at(term), sums / joint, 1e-6) << term;
  }
  // Parameters that only one loss reaches: its counts alone weigh them.
  const std::map<std::string, std::string> reached_by = {{"predictor_v2a.", "v2a"},
                                                         {"predictor_a2a.", "a2a"},
                                                         {"predictor_a2v.", "a2v"},
                                                         {"student_video.", "v2a"}};
  std::set<std::string> checked;
  for (const auto& [name, gradient] : both.gradients) {
    for (const auto& [prefix, term] : reached_by) {
      if (name.rfind(prefix, 0) != 0) continue;
      const double joint = both.counts.at(term);
      const auto expected = (a.counts.at(term) / joint) * a.gradients.at(name) +
                            (b.counts.at(term) / joint) * b.gradients.at(name);
      EXPECT_TRUE(torch::allclose(gradient, expected, 1e-4, 1e-7)) << name;
      checked.insert(prefix);
    }
  }
  EXPECT_EQ(checked.size(), reached_by.size());
}

TEST_F(PretrainTaskTest, LossFallsOnAFewClips) {
  const auto config = tiny_config();
  PretrainTask task(config, torch::kCPU, kLength, {});
  auto options = config.optimizer;
  options.lr = 3e-3;
  Updater updater(task, options, kLength, torch::kCPU);
  data::Loader loader(
      manifest(),
      {.max_frames = 60, .workers = 0, .video = config.data.video, .mask = config.mask});
  double first = 0, last = 0;
  for (std::int64_t step = 0; step < 40; ++step) {
    torch::manual_seed(static_cast<std::uint64_t>(step));
    const auto gradients = updater.gradients({*loader.next()}, {.step = step});
    updater.apply(gradients);
    for (const auto& [name, value] : gradients.values) {
      if (name != "loss") continue;
      if (step < 4) first += value.item<double>() / 4;
      if (step >= 36) last += value.item<double>() / 4;
    }
  }
  EXPECT_LT(last, first - 0.3);
}

TEST_F(PretrainTaskTest, Bfloat16StaysNearFloat32) {
  auto config = tiny_config();
  config.model.encoder.dropout = 0;
  for (auto& predictor : config.model.predictors.of) {
    predictor.dropout = 0;
  }
  const auto loss = [&](config::Precision precision) {
    config.train.precision = precision;
    PretrainTask task(config, torch::kCPU, kLength, {});
    const auto example = batch(config);
    return task.backward(example, inputs_of(task.count_targets({example})), false)
        .loss.item<double>();
  };
  const double exact = loss(config::Precision::kFp32), rough = loss(config::Precision::kBf16);
  EXPECT_NE(exact, rough);
  EXPECT_NEAR(exact, rough, 0.05);
}

}  // namespace
}  // namespace raven::train
