// Several ranks that train one model, as threads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>

#include "raven/artifacts/checkpoint.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/nn/batch_norm.h"
#include "raven/nn/state_dict.h"
#include "raven/train/pretrain_task.h"
#include "raven/train/rank_agreement.h"
#include "raven/train/trainer.h"
#include "raven/train/updater.h"
#include "support/ranks_in_threads.h"
#include "support/temporary_folder.h"
#include "support/tiny_clips.h"
#include "train/tiny_config.h"

namespace raven::train {
namespace {

class Ranks : public testing::Test {
 protected:
  static constexpr RunLength kLength{.steps = 10, .warmup_steps = 0};

  void SetUp() override {
    torch::set_num_threads(1);
    make_tiny_clips(folder_.path());
    config_ = tiny_config();
    // Statistics of a batch are not those of two: BatchNorm has its own test (nn).
    config_.model.encoder.ffn_norm = config::FfnNorm::kLayer;
    for (auto& predictor : config_.model.predictors.of)
      predictor.ffn_norm = config::FfnNorm::kLayer;
  }

  [[nodiscard]] data::LoaderOptions loading() const {
    auto options = data::training_options(config_.data, config_.run.seed);
    options.mask = config_.mask;
    return options;
  }
  [[nodiscard]] data::Manifest manifest() const {
    return data::read_manifest(folder_.path() / "manifest.tsv");
  }

  struct Result {
    Numbers values;
    nn::StateDict state;
  };

  static SeedOfBatch seeds_of(std::int64_t step) {
    return [step](std::int64_t batch) { return static_cast<std::uint64_t>(1000 * step + batch); };
  }

  /// Steps of `accumulate` batches of its own each.
  [[nodiscard]] Result train(distributed::Communicator& ranks, std::int64_t accumulate) const {
    auto options = loading();
    options.share = {.rank = ranks.rank(), .ranks = ranks.size()};
    ClipSource source(manifest(), options);
    PretrainTask task(config_, torch::kCPU, kLength, {});
    fix_statistics(task.module());
    Updater updater(task, config_.optimizer, kLength, torch::kCPU, ranks);
    Result result;
    for (std::int64_t step = 0; step < 3; ++step) {
      std::vector<Batch> batches;
      for (std::int64_t i = 0; i < accumulate; ++i) batches.push_back(source.next());
      const auto gradients = updater.gradients(batches, {.step = step + 2, .seed = seeds_of(step)});
      updater.apply(gradients);
      for (const auto& [name, value] : gradients.values)
        result.values[fmt::format("{} {}", name, step)] = value.item<double>();
    }
    for (const auto& [name, tensor] : nn::state_dict(task.module()))
      result.state.emplace_back(name, tensor.detach().clone());
    return result;
  }

  /// The frontends' BatchNorm uses its running statistics, which stay as they are.
  static void fix_statistics(torch::nn::Module& module) {
    for (const auto& part : module.modules()) {
      if (part->named_buffers(/*recurse=*/false).contains("running_mean")) part->eval();
    }
  }

  static void expect_same(const Result& a, const Result& b) {
    ASSERT_EQ(a.values.size(), b.values.size());
    for (const auto& [name, value] : a.values)
      EXPECT_NEAR(b.values.at(name), value, 1e-6 * std::max(1.0, std::fabs(value))) << name;
    ASSERT_EQ(a.state.size(), b.state.size());
    for (std::size_t i = 0; i < a.state.size(); ++i) {
      const auto& [name, tensor] = a.state[i];
      EXPECT_TRUE(torch::allclose(tensor.to(torch::kFloat64), b.state[i].second.to(torch::kFloat64),
                                  1e-6, 1e-6))
          << name;
    }
  }

  TemporaryFolder folder_;
  config::PretrainConfig config_;
};

TEST_F(Ranks, OfOneBatchEachEqualOneOfTwoBatches) {
  const auto alone = train(distributed::one_rank(), /*accumulate=*/2);
  std::vector<Result> both(2);
  RanksInThreads(2).run([&](distributed::Communicator& ranks) {
    both[static_cast<std::size_t>(ranks.rank())] = train(ranks, /*accumulate=*/1);
  });
  expect_same(alone, both[0]);
  expect_same(alone, both[1]);
}

TEST_F(Ranks, OfOneBatchEachHaveTheMeanOfTheirMeans) {
  config_.loss.mean = config::LossMean::kBatch;
  const auto alone = train(distributed::one_rank(), /*accumulate=*/2);
  RanksInThreads(2).run([&](distributed::Communicator& ranks) {
    expect_same(alone, train(ranks, /*accumulate=*/1));
  });
  config_.loss.mean = config::LossMean::kStep;
  const auto of_step = train(distributed::one_rank(), /*accumulate=*/2);
  EXPECT_NE(of_step.values.at("loss 0"), alone.values.at("loss 0"));
}

// Four batches are added in another order then. AdamW makes of the rounding of a gradient near 0 a
// whole step, so that weights are compared through the gradients that they are moved by.
TEST_F(Ranks, OfTwoBatchesEachHaveTheGradientsOfOneOfFour) {
  const auto alone = train(distributed::one_rank(), /*accumulate=*/4);
  RanksInThreads(2).run([&](distributed::Communicator& ranks) {
    const auto both = train(ranks, /*accumulate=*/2);
    int compared = 0;
    for (const auto& [name, value] : alone.values) {
      if (!name.ends_with(" 0")) continue;  // of the first step
      EXPECT_NEAR(both.values.at(name), value, 1e-6 * std::max(1.0, std::fabs(value))) << name;
      ++compared;
    }
    EXPECT_GE(compared, 7) << "three losses, their sum and norms";
  });
}

/// What goes wrong in a run.
struct Options {
  std::int64_t accumulate = 2;              // batches of a step, of all ranks
  std::int64_t stopping = -1, stop_at = 0;  // the rank that asks for a stop, in which step
  std::int64_t failing = -1;                // the rank that cannot read its third batch
  std::int64_t poisoned = -1;               // the rank that hears NaN in its second batch
  bool share_statistics = false;            // and evaluate
  bool keep_best = false;                   // and evaluate at every step
  bool of_all_ranks = false;                // BatchNorm's statistics, by the trainer itself
  bool shard_optimizer = false;
  bool cannot_evaluate = false;
  std::vector<std::string>* ids = nullptr;  // those that are read are added
};

/// Runs of the trainer: one process, or two that share a folder.
class TrainerOfRanks : public Ranks {
 protected:
  struct Trained {
    bool done = false;
    std::int64_t step = 0, updates = 0;
    nn::StateDict state;
  };

  [[nodiscard]] TrainerSettings settings(std::int64_t accumulate) const {
    TrainerSettings settings;
    settings.optimizer = config_.optimizer;
    settings.train.accumulate = accumulate;
    settings.train.batch_norm = config::BatchStatistics::kOwn;
    settings.checkpoint = {.every = 2, .keep = 2, .keep_every = 0};
    settings.log.every = 1;
    settings.length = {.steps = 4, .warmup_steps = 0};
    return settings;
  }

  class TestedTask : public PretrainTask {
   public:
    using PretrainTask::PretrainTask;
    StepPart backward(const data::Batch& batch, const StepInputs& inputs, bool measure) override {
      auto heard = batch;
      if (++batches >= poisoned_batch && poisoned_batch > 0)
        heard.audio = batch.audio * std::numeric_limits<double>::quiet_NaN();
      return PretrainTask::backward(heard, inputs, measure);
    }
    void after_update(const StepInputs& inputs, const torch::Tensor& bad) override {
      PretrainTask::after_update(inputs, bad);
      if (++updates == stop_at) stop.request_stop();
    }
    Numbers evaluate(const std::stop_token& token) override {
      if (cannot_evaluate && updates > 0) throw DataError("the held-out clips are gone", "read");
      return PretrainTask::evaluate(token);
    }
    std::int64_t batches = 0, poisoned_batch = 0, updates = 0, stop_at = 0;
    bool cannot_evaluate = false;
    std::stop_source stop;
  };

  class TestedSource : public ClipSource {
   public:
    using ClipSource::ClipSource;
    Batch next() override {
      if (++batches == failing_batch) throw DataError("the disk is gone", "read");
      auto batch = ClipSource::next();
      if (ids != nullptr) {
        const auto& read = batch.as<data::Batch>().ids;
        ids->insert(ids->end(), read.begin(), read.end());
      }
      return batch;
    }
    std::int64_t batches = 0, failing_batch = 0;
    std::vector<std::string>* ids = nullptr;
  };

  Trained train_in(const std::filesystem::path& dir, distributed::Communicator& ranks,
                   const Options& options) {
    auto share = loading();
    share.share = {.rank = ranks.rank(), .ranks = ranks.size(), .step_batches = options.accumulate};
    TestedSource source(manifest(), share);
    if (ranks.rank() == options.failing) source.failing_batch = 3;
    source.ids = options.ids;
    TestedTask task(config_, torch::kCPU, kLength,
                    options.share_statistics ? manifest() : data::Manifest{});
    if (ranks.rank() == options.stopping) task.stop_at = options.stop_at;
    if (ranks.rank() == options.poisoned) task.poisoned_batch = 2;
    task.cannot_evaluate = options.cannot_evaluate;
    auto given = settings(options.accumulate);
    given.shard_optimizer = options.shard_optimizer;
    if (options.share_statistics) {
      given.evaluate_every = options.keep_best ? 1 : 2;
      if (options.keep_best) given.best = {.by = {"valid_loss"}};
      const std::shared_ptr<distributed::Communicator> reducer(&ranks, [](auto*) {});
      nn::share_statistics(task.module(), reducer);
    } else if (options.of_all_ranks) {
      given.train.batch_norm = config::BatchStatistics::kAll;
    } else {
      fix_statistics(task.module());
    }
    using artifacts::RunFolder;
    RunFolder folder(dir,
                     ranks.rank() == 0 ? RunFolder::Access::kOwner : RunFolder::Access::kReader);
    Trainer trainer(task, source, folder, given, ranks);
    Trained result;
    result.done = trainer.run(task.stop.get_token());
    result.step = trainer.step();
    result.updates = task.updates;
    for (const auto& [name, tensor] : nn::state_dict(task.module()))
      result.state.emplace_back(name, tensor.detach().clone());
    return result;
  }

  std::vector<Trained> train_two(const std::filesystem::path& dir, const Options& options = {}) {
    std::vector<Trained> both(2);
    RanksInThreads(2).run([&](distributed::Communicator& ranks) {
      both[static_cast<std::size_t>(ranks.rank())] = train_in(dir, ranks, options);
    });
    return both;
  }

  static std::string what_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const std::exception& error) {
      return error.what();
    }
    return "";
  }

  static void expect_same_weights(const nn::StateDict& a, const nn::StateDict& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      const auto &x = a[i].second, &y = b[i].second;
      EXPECT_TRUE(torch::allclose(x.to(torch::kFloat64), y.to(torch::kFloat64), 1e-6, 1e-6))
          << a[i].first;
    }
  }

  static std::int64_t lines_of(const std::filesystem::path& file) {
    const auto text = read_file(file);
    return std::count(text.begin(), text.end(), '\n');
  }

  /// Step of the best checkpoint, as the last one tells.
  static std::int64_t best_of(const std::filesystem::path& dir) {
    const auto last =
        artifacts::path_of_step(dir / "checkpoints", artifacts::last_step(dir).value());
    const auto best = artifacts::read_checkpoint(last).state.best;
    return best ? best->step : -1;
  }

  std::filesystem::path run_ = folder_.path() / "run", alone_ = folder_.path() / "alone";
};

TEST_F(TrainerOfRanks, EndsWithTheWeightsOfOneThatAccumulates) {
  const auto alone = train_in(alone_, distributed::one_rank(), {.accumulate = 2});
  for (const auto& rank : train_two(run_, {.accumulate = 2})) {
    EXPECT_TRUE(rank.done);
    expect_same_weights(alone.state, rank.state);
  }
  EXPECT_EQ(lines_of(run_ / "metrics.jsonl"), 4) << "one rank alone writes";
  EXPECT_EQ(artifacts::last_step(run_), 4);
}

TEST_F(TrainerOfRanks, LearnsTheSameWhereOneHasNoBatch) {
  const auto alone = train_in(alone_, distributed::one_rank(), {.accumulate = 2});
  RanksInThreads(3).run([&](distributed::Communicator& ranks) {
    const auto trained = train_in(run_, ranks, {.accumulate = 2});
    EXPECT_TRUE(trained.done);
    expect_same_weights(alone.state, trained.state);
  });
}

TEST_F(TrainerOfRanks, StopsWhereOneIsAskedToAndGoesOnFromThere) {
  const auto whole = train_two(alone_);
  for (const auto& rank : train_two(run_, {.stopping = 1, .stop_at = 3})) {
    EXPECT_FALSE(rank.done);
    EXPECT_EQ(rank.step, 3);
  }
  for (const auto& rank : train_two(run_)) {
    EXPECT_TRUE(rank.done);
    EXPECT_EQ(rank.step, 4);
    EXPECT_EQ(rank.updates, 1);
    ASSERT_EQ(rank.state.size(), whole[0].state.size());
    for (std::size_t i = 0; i < rank.state.size(); ++i) {
      EXPECT_TRUE(torch::equal(rank.state[i].second, whole[0].state[i].second))
          << rank.state[i].first;
    }
  }
  EXPECT_EQ(lines_of(run_ / "metrics.jsonl"), 4);
}

TEST_F(TrainerOfRanks, EvaluatesOnOneRankAlthoughAllShareStatistics) {
  for (const auto& rank : train_two(run_, {.share_statistics = true})) EXPECT_TRUE(rank.done);
  EXPECT_EQ(lines_of(run_ / "metrics.jsonl"), 4 + 3) << "evaluations at steps 0, 2 and 4";
}

TEST_F(TrainerOfRanks, SavesWhenOneCannotReadItsBatches) {
  const auto problem = what_of([&] { train_two(run_, {.failing = 1}); });
  EXPECT_THAT(problem, testing::AnyOf(testing::HasSubstr("the disk is gone"),
                                      testing::HasSubstr("another rank cannot read")));
  EXPECT_EQ(artifacts::last_step(run_), 2);
  const auto later = what_of([&] { train_two(alone_, {.failing = 0}); });
  EXPECT_THAT(later, testing::HasSubstr("the disk is gone"));
  EXPECT_EQ(artifacts::last_step(alone_), 2);
}

TEST_F(TrainerOfRanks, KeepTheirShareOfTheOptimisersStateAndNothingElseChanges) {
  train_two(alone_);
  train_two(run_, {.shard_optimizer = true});
  for (const auto* file : {"model.safetensors", "optimizer.safetensors"}) {
    for (const auto* step : {"step_00000002", "step_00000004"}) {
      const auto at = std::filesystem::path("checkpoints") / step / file;
      EXPECT_TRUE(read_file(alone_ / at) == read_file(run_ / at)) << at;
    }
  }
}

TEST_F(TrainerOfRanks, GoOnWithAndWithoutShares) {
  train_two(alone_);
  train_two(run_, {.stopping = 1, .stop_at = 1, .shard_optimizer = true});
  train_two(run_, {.stopping = 1, .stop_at = 1});
  train_two(run_, {.stopping = 0, .stop_at = 1, .shard_optimizer = true});
  for (const auto& rank : train_two(run_)) EXPECT_TRUE(rank.done);
  const auto at = std::filesystem::path("checkpoints") / "last" / "optimizer.safetensors";
  EXPECT_TRUE(read_file(alone_ / at) == read_file(run_ / at));
}

TEST_F(TrainerOfRanks, SaveWhenHeldOutDataCannotBeRead) {
  EXPECT_THAT(what_of([&] {
                train_two(
                    run_,
                    {.share_statistics = true, .shard_optimizer = true, .cannot_evaluate = true});
              }),
              testing::HasSubstr("the held-out clips are gone"));
  EXPECT_EQ(artifacts::last_step(run_), 2);
}

TEST_F(TrainerOfRanks, KeepTheBestCheckpointTogether) {
  for (const auto& rank :
       train_two(run_, {.share_statistics = true, .keep_best = true, .shard_optimizer = true})) {
    EXPECT_TRUE(rank.done);
    EXPECT_EQ(rank.step, 4);
  }
  const auto best = best_of(run_);
  EXPECT_GE(best, 1);
  EXPECT_TRUE(std::filesystem::exists(artifacts::path_of_step(run_ / "checkpoints", best) /
                                      "optimizer.safetensors"));
}

TEST_F(TrainerOfRanks, WithNaNDoNotWaitForEachOther) {
  // Rank 0 has two batches, rank 1 one: a step that is run again is run by each for itself.
  EXPECT_THAT(
      what_of([&] { train_two(run_, {.accumulate = 3, .poisoned = 0, .of_all_ranks = true}); }),
      testing::HasSubstr("step 1: NaN or Inf"));
  EXPECT_TRUE(std::filesystem::exists(run_ / "nan" / "step_00000001" / "report.txt"));
}

TEST_F(TrainerOfRanks, TellsWhoseBatchHasNaN) {
  EXPECT_THAT(what_of([&] { train_two(run_, {.poisoned = 1}); }),
              testing::HasSubstr("nothing when the step was run again"));
  const auto folder = run_ / "nan" / "step_00000002";
  EXPECT_THAT(read_file(folder / "rank_1" / "report.txt"), testing::HasSubstr("loss v2a"));
  EXPECT_TRUE(std::filesystem::exists(folder / "rank_1" / "batch_0.safetensors"));
}

TEST_F(TrainerOfRanks, GoesOnWithAnotherNumberOfThem) {
  const auto alone = train_in(alone_, distributed::one_rank(), {.accumulate = 2});
  train_two(run_, {.accumulate = 2, .stopping = 0, .stop_at = 2});
  const auto end = train_in(run_, distributed::one_rank(), {.accumulate = 2});
  EXPECT_TRUE(end.done);
  EXPECT_EQ(end.updates, 2);
  expect_same_weights(alone.state, end.state);
}

/// Four ranks, then two, three and one: each sample of an epoch once.
TEST_F(TrainerOfRanks, ReadEverySampleOnceWhateverTheirNumber) {
  config_.data.max_frames = 20;  // a clip a batch
  ClipSource whole(manifest(), loading());
  const auto batches = whole.batches_per_epoch();
  ASSERT_GE(batches, 10);
  std::vector<std::string> expected, read;
  for (const auto& utterance : manifest().utterances) expected.push_back(utterance.id);
  std::int64_t left = batches;
  for (const std::int64_t size : {4, 2, 3, 1}) {
    const auto step = size == 1 ? left : size;  // batches
    left -= step;
    RanksInThreads(size).run([&](distributed::Communicator& ranks) {
      train_in(run_, ranks, {.accumulate = step, .stopping = 0, .stop_at = 1, .ids = &read});
    });
  }
  std::ranges::sort(expected), std::ranges::sort(read);
  EXPECT_EQ(read, expected);
}

TEST_F(Ranks, ShareTheBatchesOfALoader) {
  std::vector<std::string> alone, dealt;
  data::Loader whole(manifest(), loading());
  for (int i = 0; i < 12; ++i)
    alone.push_back(fmt::format("{}", fmt::join(whole.next()->ids, " ")));
  std::vector<std::unique_ptr<data::Loader>> loaders;
  for (std::int64_t rank = 0; rank < 3; ++rank) {
    auto options = loading();
    options.share = {.rank = rank, .ranks = 3};
    loaders.push_back(std::make_unique<data::Loader>(manifest(), options));
  }
  for (int round = 0; round < 4; ++round) {
    for (const auto& loader : loaders) EXPECT_EQ(loader->position(), loaders[0]->position());
    for (const auto& loader : loaders) {
      dealt.push_back(fmt::format("{}", fmt::join(loader->next()->ids, " ")));
    }
  }
  EXPECT_EQ(dealt, alone);
  EXPECT_EQ(loaders[2]->position(), whole.position());
  whole.seek({.epoch = 1, .batch = 1});
  loaders[1]->seek({.epoch = 1, .batch = 1});
  whole.next();
  EXPECT_EQ(loaders[1]->next()->ids, whole.next()->ids);
}

TEST_F(Ranks, RefuseOtherSettingsAndOtherData) {
  std::vector<std::string> settings(3), data(3);
  std::vector<int> codes(3);
  RanksInThreads(3).run([&](distributed::Communicator& ranks) {
    const auto rank = static_cast<std::size_t>(ranks.rank());
    auto config = config::flatten(config_);
    check_same_start(ranks, config);
    config["data.workers"] = std::to_string(rank);  // of the machine
    check_same_start(ranks, config);
    config["distributed.shard_optimizer"] = rank == 1 ? "true" : "false";
    EXPECT_THROW(check_same_start(ranks, config), ConfigError) << "ranks would not say the same";
    config.erase("distributed.shard_optimizer");
    if (rank == 2) config["optimizer.lr"] = "7";
    try {
      check_same_start(ranks, config);
    } catch (const ConfigError& error) {
      settings[rank] = error.what();
    }
    check_same_data(ranks, "hash", "train.tsv");
    try {
      check_same_data(ranks, rank == 1 ? "other" : "hash", "train.tsv");
    } catch (const PeerError& error) {
      data[rank] = error.what();
      codes[rank] = error.code();
    }
  });
  EXPECT_THAT(settings, testing::Each(testing::HasSubstr("7 of rank 2")));
  EXPECT_THAT(settings, testing::Each(testing::Not(testing::HasSubstr("data.workers"))));
  EXPECT_THAT(data, testing::Each(testing::HasSubstr("train.tsv: rank 1 has other data")));
  EXPECT_THAT(codes, testing::Each(3));
}

TEST_F(Ranks, EndWhereOneOfThemHasEnded) {
  EXPECT_THROW(RanksInThreads(2).run([&](distributed::Communicator& ranks) {
    ranks.barrier();
    if (ranks.rank() == 1) ranks.barrier();
  }),
               std::runtime_error);
}

TEST_F(Ranks, EndWhereOneOfThemFails) {
  EXPECT_THROW(RanksInThreads(2).run([&](distributed::Communicator& ranks) {
    if (ranks.rank() == 1) throw std::logic_error("rank 1");
    ranks.barrier();
  }),
               std::logic_error);
}

TEST_F(Ranks, AgreeOnWhatOneOfThemSays) {
  std::vector<int> stops(2), values(2);
  RanksInThreads(2).run([&](distributed::Communicator& ranks) {
    const auto rank = static_cast<std::size_t>(ranks.rank());
    stops[rank] = ranks.any(ranks.rank() == 1) && !ranks.any(false) ? 1 : 0;
    auto value = torch::tensor(7 * ranks.rank());
    ranks.broadcast({value}, 1);
    ranks.barrier();
    values[rank] = value.item<int>();
  });
  EXPECT_EQ(stops, (std::vector<int>{1, 1}));
  EXPECT_EQ(values, (std::vector<int>{7, 7}));
}

}  // namespace
}  // namespace raven::train
