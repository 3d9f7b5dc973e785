#include "raven/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/event_files.h"
#include "support/temporary_folder.h"
#include "support/tiny_clips.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct ToyModuleImpl : torch::nn::Module {
  ToyModuleImpl() {
    torch::manual_seed(5);
    hidden = register_module("hidden", torch::nn::Linear(1, 8));
    out = register_module("out", torch::nn::Linear(8, 1));
    seen = register_buffer("seen", torch::zeros({}, torch::kInt64));
  }
  torch::nn::Linear hidden{nullptr}, out{nullptr};
  torch::Tensor seen;  // updates so far
};
TORCH_MODULE(ToyModule);

/// Regresses the loudness of every frame's second half on that of its first; has dropout, so that a
/// step depends on random numbers.
class ToyTask : public ClipTask {
 public:
  explicit ToyTask(double dropout = 0.2) : dropout_(dropout) {}

  torch::nn::Module& module() override { return *model; }
  std::vector<ParameterSet> parameter_sets() override {
    std::vector<ParameterSet> sets;
    for (const std::string name : {"hidden", "out"}) {
      ParameterGroup group{.name = name, .parameters = {}, .lr = 1e-2};
      for (const auto& item : model->named_parameters()) {
        if (item.key().rfind(name, 0) == 0) group.parameters.emplace_back(item.key(), item.value());
      }
      sets.push_back({.name = name, .groups = {group}});
    }
    return sets;
  }
  [[nodiscard]] Counts count_targets(const std::vector<data::Batch>& batches) const override {
    double frames = 0;
    for (const auto& batch : batches) frames += batch.lengths.sum().item<double>();
    return {{"error", frames}};
  }
  StepPart backward(const data::Batch& batch, const StepInputs& inputs, bool measure) override {
    const auto loudness = batch.audio.abs().unflatten(1, {-1, 2, 320}).mean(-1);  // (B, T, 2)
    auto x = torch::relu(model->hidden->forward(loudness.slice(-1, 0, 1)));
    x = model->out->forward(torch::dropout(x, dropout_, /*train=*/true));
    if (++calls == bad_call) x = x * std::numeric_limits<double>::quiet_NaN();
    const auto valid = torch::arange(batch.video.size(1)).unsqueeze(0) < batch.lengths.unsqueeze(1);
    const auto error = (x - loudness.slice(-1, 1, 2)).square().squeeze(-1);
    const auto loss = (error * valid).sum() / inputs.count("error");
    loss.backward();
    StepPart part{.loss = loss.detach(), .losses = {{"error", loss.detach()}}, .measures = {}};
    if (measure) part.measures["weight"] = model->out->weight.norm().item<double>();
    return part;
  }
  void after_update(const StepInputs& inputs, const torch::Tensor& bad) override {
    if (bad.item<float>() != 0) return;
    model->seen += 1;
    if (at_update) at_update();
    const auto step = static_cast<std::int64_t>(inputs.setting("momentum").item<double>());
    if (step + 1 == stop_after) stop.request_stop();
  }
  [[nodiscard]] Numbers settings_at(std::int64_t step) const override {
    return {{"momentum", static_cast<double>(step)}};
  }
  Numbers evaluate(const std::stop_token& token) override {
    if (token.stop_requested()) return {};
    if (model->seen.item<std::int64_t>() == failing_evaluation)
      throw SystemError("cannot read a clip");
    const auto step = model->seen.item<std::int64_t>();
    const auto given = valid_errors.find(step);
    return {
        {"valid_error", given == valid_errors.end() ? static_cast<double>(step) : given->second}};
  }
  void export_results(const fs::path&) override {}

  ToyModule model;
  std::function<void()> at_update;
  std::stop_source stop;
  std::int64_t stop_after = -1;                 // asks for a stop during this step
  std::map<std::int64_t, double> valid_errors;  // of evaluations after so many updates
  int bad_call = -1, calls = 0;                 // which backward gives NaN
  std::int64_t failing_evaluation = -1;         // after how many updates

 private:
  double dropout_;
};

class TrainerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    torch::set_num_threads(1);  // the networks are tiny
    corpus_ = new TemporaryFolder;
    make_tiny_clips(corpus_->path());
  }
  static void TearDownTestSuite() { delete corpus_; }

  static data::LoaderOptions loader_options(std::int64_t workers) {
    return {.max_frames = 60, .workers = workers, .seed = 42, .mask = {}};
  }
  static data::Manifest manifest() { return data::read_manifest(corpus_->path() / "manifest.tsv"); }

  [[nodiscard]] static TrainerSettings settings() {
    TrainerSettings settings;
    settings.train.accumulate = 2;
    settings.checkpoint = {.every = 5, .keep = 2, .keep_every = 0};
    settings.log.every = 3;
    settings.evaluate_every = 4;
    settings.length = {.steps = 17, .warmup_steps = 2};
    settings.config = {{"optimizer.lr", "0.01"}};
    return settings;
  }

  /// One process' worth of a run; true when it reached its end.
  bool run(const std::string& name, ToyTask& task, std::int64_t workers = 0,
           const TrainerSettings& given = settings()) {
    return run_on(manifest(), loader_options(workers), name, task, given);
  }
  bool run_on(const data::Manifest& data, const data::LoaderOptions& options,
              const std::string& name, ToyTask& task, const TrainerSettings& given = settings()) {
    ClipSource loader(data, options);
    artifacts::RunFolder folder(temporary_.path() / name);
    Trainer trainer(task, loader, folder, given);
    return trainer.run(task.stop.get_token());
  }

  [[nodiscard]] std::string last_file(const std::string& name, const std::string& file) const {
    return read_file(temporary_.path() / name / "checkpoints" / "last" / file);
  }

  /// Lines of metrics.jsonl without what depends on the clock and the machine.
  [[nodiscard]] std::vector<std::string> lines(const std::string& name) const {
    std::vector<std::string> lines;
    std::ifstream in(temporary_.path() / name / "metrics.jsonl");
    for (std::string line; std::getline(in, line);) {
      auto json = nlohmann::json::parse(line);
      for (const char* key : {"frames_per_s", "wait_share", "step_s", "rss_bytes"}) json.erase(key);
      lines.push_back(json.dump());
    }
    return lines;
  }

  /// Scalars that TensorBoard shows, without those either; none may be there twice.
  [[nodiscard]] std::map<std::pair<std::int64_t, std::string>, float> events(
      const std::string& name) const {
    std::map<std::pair<std::int64_t, std::string>, float> events;
    for (const auto& [key, value] : scalars_of(temporary_.path() / name / "tensorboard")) {
      const auto& tag = key.second;
      if (tag.ends_with("_s") || tag.ends_with("wait_share") || tag.ends_with("bytes")) continue;
      EXPECT_TRUE(events.emplace(key, value).second) << tag << " of step " << key.first;
    }
    return events;
  }

  static TemporaryFolder* corpus_;
  TemporaryFolder temporary_;
};

TemporaryFolder* TrainerTest::corpus_ = nullptr;

TEST_F(TrainerTest, StoppedAndResumedEqualsUndisturbedExactly) {
  ToyTask undisturbed;
  ASSERT_TRUE(run("a", undisturbed));
  // Stops between two checkpoints, between two reports and inside an epoch; then with other worker
  // counts.
  std::int64_t workers = 0;
  for (const std::int64_t stop_after : {4, 10, 13}) {
    ToyTask part;
    part.stop_after = stop_after;
    EXPECT_FALSE(run("b", part, workers++));
  }
  ToyTask rest;
  ASSERT_TRUE(run("b", rest, 3));
  EXPECT_EQ(last_file("a", "model.safetensors"), last_file("b", "model.safetensors"));
  EXPECT_EQ(last_file("a", "optimizer.safetensors"), last_file("b", "optimizer.safetensors"));
  EXPECT_EQ(lines("a"), lines("b"));
}

TEST_F(TrainerTest, RunKilledAfterACheckpointEqualsUndisturbedExactly) {
  ToyTask undisturbed;
  ASSERT_TRUE(run("a", undisturbed));
  ToyTask part;
  part.stop_after = 13;
  ASSERT_FALSE(run("b", part));
  // As if it had been killed at step 13 instead: its last checkpoint is that of step 10, the report
  // of step 12 is there.
  fs::remove_all(temporary_.path() / "b" / "checkpoints" / "step_00000013");
  ToyTask rest;
  ASSERT_TRUE(run("b", rest));
  EXPECT_EQ(last_file("a", "model.safetensors"), last_file("b", "model.safetensors"));
  EXPECT_EQ(lines("a"), lines("b"));
}

TEST_F(TrainerTest, SavesWhatItLearnedWhenTheDataFail) {
  ToyTask undisturbed, broken, rest;
  ASSERT_TRUE(run("a", undisturbed));
  // A clip that disappears while the run is under way, and comes back.
  const auto video = corpus_->path() / "clip7.mp4", away = temporary_.path() / "clip7.mp4";
  auto options = loader_options(0);
  options.max_skipped = 0;
  broken.at_update = [&, updates = 0]() mutable {
    if (++updates == 8) fs::rename(video, away);
  };
  EXPECT_THROW(run_on(manifest(), options, "b", broken), SkipBudgetError);
  fs::rename(away, video);
  const auto saved =
      artifacts::read_checkpoint(temporary_.path() / "b" / "checkpoints" / "last").state.step;
  EXPECT_GE(saved, 8);
  EXPECT_NE(saved % 5, 0) << "a checkpoint that would have been there anyway";
  EXPECT_THAT(read_file(temporary_.path() / "b" / "skipped.tsv"), HasSubstr("clip7\tmissing\t"));
  ASSERT_TRUE(run("b", rest));
  EXPECT_EQ(last_file("a", "model.safetensors"), last_file("b", "model.safetensors"));
  EXPECT_EQ(last_file("a", "optimizer.safetensors"), last_file("b", "optimizer.safetensors"));
}

TEST_F(TrainerTest, SavesWhenAnEvaluationFailsAndMakesItLater) {
  ToyTask undisturbed, broken, rest;
  ASSERT_TRUE(run("a", undisturbed));
  broken.failing_evaluation = 8;
  EXPECT_THROW(run("b", broken), SystemError);
  EXPECT_EQ(artifacts::read_checkpoint(temporary_.path() / "b" / "checkpoints" / "last").state.step,
            8);
  ASSERT_TRUE(run("b", rest));
  EXPECT_EQ(lines("a"), lines("b"));
}

TEST_F(TrainerTest, AnEvaluationThatWasMadeAgainAndNotSavedIsThereOnce) {
  ToyTask undisturbed, broken, killed, rest;
  ASSERT_TRUE(run("a", undisturbed));
  broken.failing_evaluation = 8;
  EXPECT_THROW(run("b", broken), SystemError);
  // Killed after the evaluation that was due, before the checkpoint that says so.
  const auto checkpoints = temporary_.path() / "b" / "checkpoints";
  fs::copy(checkpoints, temporary_.path() / "before",
           fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  killed.stop_after = 9;
  EXPECT_FALSE(run("b", killed));
  fs::remove_all(checkpoints);
  fs::rename(temporary_.path() / "before", checkpoints);
  ASSERT_TRUE(run("b", rest));
  EXPECT_EQ(lines("a"), lines("b"));
  EXPECT_EQ(events("a"), events("b"));
}

TEST_F(TrainerTest, KilledAfterItsLastCheckpointItPutsEverythingRight) {
  ToyTask task, again;
  ASSERT_TRUE(run("a", task));
  const auto folder = temporary_.path() / "a";
  const auto curves = read_file(folder / "curves.svg");
  // Neither `last` nor the curves have come to step 17.
  fs::remove(folder / "checkpoints" / "last");
  fs::create_symlink("step_00000015", folder / "checkpoints" / "last");
  fs::remove(folder / "curves.svg");
  ASSERT_TRUE(run("a", again));
  EXPECT_EQ(fs::read_symlink(folder / "checkpoints" / "last"), "step_00000017");
  EXPECT_EQ(read_file(folder / "curves.svg"), curves);
}

TEST_F(TrainerTest, CountsSkippedUtterancesByReasonAcrossStarts) {
  auto data = manifest();
  data.utterances[2].frames += 1;
  data.utterances[5].video.file = corpus_->path() / "none.mp4";
  ToyTask first, second;
  auto given = settings();
  given.length.steps = 9;
  ASSERT_TRUE(run_on(data, loader_options(0), "a", first, given));
  data.utterances[2].frames -= 1;  // mended; the run did skip it
  given.length.steps = 12;
  ASSERT_TRUE(run_on(data, loader_options(0), "a", second, given));
  const auto last = nlohmann::json::parse(lines("a").at(lines("a").size() - 2));
  EXPECT_EQ(last.at("step"), 12);
  EXPECT_EQ(last.at("skipped"), 2);
  EXPECT_EQ(last.at("skipped_frame-count"), 1);
  EXPECT_EQ(last.at("skipped_missing"), 1);
}

TEST_F(TrainerTest, FinishedRunHasNothingLeftToDo) {
  ToyTask first, second;
  ASSERT_TRUE(run("a", first));
  const auto before = lines("a");
  ASSERT_TRUE(run("a", second));
  EXPECT_EQ(second.calls, 0);
  EXPECT_EQ(lines("a"), before);
}

TEST_F(TrainerTest, ReportsTheFirstTheLastAndEveryNthStep) {
  ToyTask task;
  ASSERT_TRUE(run("a", task));
  std::vector<int> reports, evaluations;
  for (const auto& line : lines("a")) {
    const auto json = nlohmann::json::parse(line);
    (json.contains("valid_error") ? evaluations : reports).push_back(json.at("step"));
    if (json.contains("valid_error")) continue;
    for (const char* key : {"loss", "error", "lr", "grad_norm", "grad_norm_out", "epoch", "skipped",
                            "weight", "momentum"}) {
      EXPECT_TRUE(json.contains(key)) << key;
    }
  }
  EXPECT_EQ(reports, (std::vector<int>{1, 3, 6, 9, 12, 15, 17}));
  EXPECT_EQ(evaluations, (std::vector<int>{0, 4, 8, 12, 16, 17}));
}

TEST_F(TrainerTest, NaNStopsTheRunAtOnceAndKeepsTheBatch) {
  ToyTask task;
  task.bad_call = 15;  // first batch of step 8, two batches a step; the step run again is sound
  std::string message;
  try {
    run("a", task);
  } catch (const Error& error) {
    message = error.what();
  }
  EXPECT_THAT(message, HasSubstr("step 8: NaN or Inf"));
  const auto folder = temporary_.path() / "a" / "nan" / "step_00000008";
  EXPECT_TRUE(fs::exists(folder / "report.txt"));
  const auto batch = weights::read_safetensors(folder / "batch_1.safetensors");
  EXPECT_EQ(batch.at("video").dim(), 4);
  EXPECT_THAT(batch.metadata.at("ids"), HasSubstr("clip"));
  for (const auto& parameter : task.model->parameters()) {
    EXPECT_TRUE(torch::isfinite(parameter).all().item<bool>()) << "the bad update was applied";
  }
  // Nothing later than the last good checkpoint was saved.
  EXPECT_EQ(artifacts::read_checkpoint(temporary_.path() / "a" / "checkpoints" / "last").state.step,
            5);
}

TEST_F(TrainerTest, NaNInAWeightIsNamed) {
  ToyTask task;
  {
    torch::NoGradGuard no_grad;
    task.model->hidden->bias[3] = std::numeric_limits<float>::infinity();
  }
  std::string message;
  try {
    run("a", task);
  } catch (const Error& error) {
    message = error.what();
  }
  EXPECT_THAT(message, HasSubstr("parameter hidden.bias: 1 of 8 values"));
}

TEST_F(TrainerTest, RefusesACheckpointOfAnotherConfiguration) {
  ToyTask first, second;
  auto given = settings();
  given.length.steps = 5;
  ASSERT_TRUE(run("a", first, 0, given));
  given.config["optimizer.lr"] = "0.5";
  EXPECT_THROW(run("a", second, 0, given), ConfigError);
}

TEST_F(TrainerTest, RefusesACheckpointOfOtherDataAndNamesTheManifest) {
  ToyTask first, second, third;
  auto given = settings();
  given.length.steps = 5;
  given.manifest = "lists/train.tsv";
  given.data_hash = "0123";
  ASSERT_TRUE(run("a", first, 0, given));
  ASSERT_TRUE(run("a", second, 0, given));
  given.data_hash = "4567";
  std::string message;
  try {
    run("a", third, 0, given);
  } catch (const ConfigError& error) {
    message = error.what();
  }
  EXPECT_THAT(message, HasSubstr("lists/train.tsv: the training data changed"));
}

TEST_F(TrainerTest, RefusesACheckpointWhoseStepsDrewOtherwise) {
  ToyTask part, rest, alone;
  part.stop_after = 4;
  ASSERT_FALSE(run("a", part));
  const auto checkpoints = temporary_.path() / "a" / "checkpoints";
  {
    auto checkpoint = artifacts::read_checkpoint(checkpoints / "last");
    checkpoint.state.seeding = 1;  // as an earlier version wrote it
    artifacts::CheckpointFolder(checkpoints, 2, 0)
        .save(checkpoint.state, checkpoint.model.tensors, checkpoint.optimizer.tensors);
  }
  try {
    run("a", rest);
    FAIL() << "went on";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("an earlier raven"));
    EXPECT_THAT(error.what(), HasSubstr("run of 2 batches a step"));
  }
  auto one_batch = settings();  // of which each step has drawn the same all along
  one_batch.train.accumulate = 1;
  EXPECT_TRUE(run("a", alone, 0, one_batch));
}

TEST_F(TrainerTest, RecordsTheThreads) {
  ToyTask task;
  ASSERT_TRUE(run("a", task));
  EXPECT_EQ(
      artifacts::read_checkpoint(temporary_.path() / "a" / "checkpoints" / "last").state.threads,
      1);
}

TEST_F(TrainerTest, AnEvaluationCutShortAtTheEndIsMadeWhenTheRunGoesOn) {
  ToyTask undisturbed, part, rest;
  ASSERT_TRUE(run("a", undisturbed));
  part.stop_after = 17;
  EXPECT_FALSE(run("b", part));
  EXPECT_NE(lines("a"), lines("b"));
  EXPECT_TRUE(run("b", rest));
  EXPECT_EQ(rest.calls, 0);
  EXPECT_EQ(lines("a"), lines("b"));
  EXPECT_FALSE(artifacts::read_checkpoint(temporary_.path() / "b" / "checkpoints" / "last")
                   .state.evaluation_due);
}

/// Evaluations at 4, 8, 12 and 16, checkpoints at 5, 10, 15 and 17; the best is that of step 8.
class BestAtEight : public ToyTask {
 public:
  BestAtEight() { valid_errors = {{4, 0.9}, {8, 0.5}, {12, 0.7}, {16, 0.6}}; }
};

class BestOfATrainer : public TrainerTest {
 protected:
  static TrainerSettings watching(std::optional<std::int64_t> patience = {}) {
    auto given = settings();
    given.best = {.by = {"valid_error"}, .patience = patience};
    return given;
  }
  [[nodiscard]] fs::path checkpoints(const std::string& name) const {
    return temporary_.path() / name / "checkpoints";
  }
  [[nodiscard]] std::vector<std::string> kept(const std::string& name) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(checkpoints(name)))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
};

TEST_F(BestOfATrainer, KeepsTheCheckpointOfTheBestEvaluation) {
  BestAtEight watched;
  ToyTask plain;
  ASSERT_TRUE(run("watched", watched, 0, watching()));
  ASSERT_TRUE(run("plain", plain));
  EXPECT_THAT(kept("watched"), testing::ElementsAre("best", "last", "step_00000008",
                                                    "step_00000015", "step_00000017"));
  EXPECT_EQ(fs::read_symlink(checkpoints("watched") / "best"), "step_00000008");
  EXPECT_EQ(artifacts::read_checkpoint(checkpoints("watched") / "best")
                .model.at("seen")
                .item<std::int64_t>(),
            8);
  EXPECT_EQ(last_file("watched", "model.safetensors"), last_file("plain", "model.safetensors"))
      << "it changes nothing that is learnt";
}

TEST_F(BestOfATrainer, EndsWhenNoEvaluationIsBetterForLong) {
  BestAtEight first;
  ASSERT_TRUE(run("a", first, 0, watching(/*patience=*/2)));
  EXPECT_EQ(first.model->seen.item<std::int64_t>(), 16);
  const auto last = artifacts::read_checkpoint(checkpoints("a") / "last").state;
  EXPECT_EQ(last.step, 16);
  EXPECT_EQ(last.length, 16) << "where it ended";
  EXPECT_FALSE(last.interim);
  BestAtEight again;
  EXPECT_TRUE(run("a", again, 0, watching(2)));
  EXPECT_EQ(again.calls, 0) << "it has ended";
  BestAtEight patient;
  EXPECT_TRUE(run("a", patient, 0, watching(3)));
  EXPECT_EQ(patient.model->seen.item<std::int64_t>(), 17);
}

TEST_F(BestOfATrainer, StoppedOrKilledItKeepsTheSame) {
  BestAtEight undisturbed;
  ASSERT_TRUE(run("a", undisturbed, 0, watching(2)));
  // During the steps of evaluations, before, and long after the best one.
  for (const std::int64_t stop_after : {4, 7, 8, 9, 14}) {
    BestAtEight part;
    part.stop_after = stop_after;
    EXPECT_FALSE(run("b", part, 0, watching(2)));
  }
  BestAtEight rest;
  ASSERT_TRUE(run("b", rest, 0, watching(2)));
  // Killed behind the best evaluation, of which nothing was saved yet: it is made again.
  BestAtEight killed;
  killed.stop_after = 7;
  EXPECT_FALSE(run("c", killed, 0, watching(2)));
  BestAtEight more;
  more.at_update = [&] {
    if (more.model->seen.item<std::int64_t>() == 9) throw Error("killed");
  };
  EXPECT_THROW(run("c", more, 0, watching(2)), Error);
  fs::remove_all(checkpoints("c") / "step_00000008");
  BestAtEight end;
  ASSERT_TRUE(run("c", end, 0, watching(2)));
  for (const std::string name : {"b", "c"}) {
    EXPECT_EQ(kept(name), kept("a"));
    for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
      EXPECT_EQ(last_file(name, file), last_file("a", file));
      EXPECT_EQ(read_file(checkpoints(name) / "best" / file),
                read_file(checkpoints("a") / "best" / file));
    }
    EXPECT_EQ(lines(name), lines("a"));
  }
}

TEST_F(TrainerTest, AccumulatedBatchesGiveTheGradientsOfOneLargeBatch) {
  data::Loader loader(manifest(), loader_options(0));
  const auto first = *loader.next(), second = *loader.next();
  const auto frames = std::max(first.video.size(1), second.video.size(1));
  const auto joined = [&](const torch::Tensor& a, const torch::Tensor& b, std::int64_t per_frame) {
    const auto padded = [&](const torch::Tensor& x) {
      auto shape = x.sizes().vec();
      shape[1] = frames * per_frame - shape[1];
      return torch::cat({x, torch::zeros(shape, x.options())}, 1);
    };
    return torch::cat({padded(a), padded(b)});
  };
  data::Batch large;
  large.ids = first.ids;
  large.video = joined(first.video, second.video, 1);
  large.audio = joined(first.audio, second.audio, 640);
  large.lengths = torch::cat({first.lengths, second.lengths});
  ASSERT_NE(first.lengths.sum().item<std::int64_t>(), second.lengths.sum().item<std::int64_t>())
      << "equal sizes would hide a wrong weighting";

  const auto gradients_of = [&](const std::vector<data::Batch>& batches) {
    ToyTask task(/*dropout=*/0);
    Updater updater(task, {}, {.steps = 10, .warmup_steps = 0}, torch::kCPU);
    updater.gradients(batches, {});
    return task.model->hidden->weight.grad();
  };
  EXPECT_TRUE(torch::allclose(gradients_of({first, second}), gradients_of({large}), 1e-5, 1e-8));
}

}  // namespace
}  // namespace raven::train
