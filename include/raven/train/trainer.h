// The training loop. What differs between stages is a Task; what differs between runs is
// configuration.
#pragma once

#include <torch/torch.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>

#include "raven/artifacts/checkpoint_folder.h"
#include "raven/artifacts/run_folder.h"
#include "raven/config/run_config.h"
#include "raven/distributed/communicator.h"
#include "raven/doctor/other_work.h"
#include "raven/train/best_checkpoint.h"
#include "raven/train/checkpoint_writer.h"
#include "raven/train/finite_watch.h"
#include "raven/train/metrics.h"
#include "raven/train/running_means.h"
#include "raven/train/schedule.h"
#include "raven/train/task.h"
#include "raven/train/updater.h"

namespace raven::train {

struct TrainerSettings {
  config::OptimizerConfig optimizer;
  config::TrainConfig train;
  config::CheckpointConfig checkpoint;
  config::LogConfig log;
  std::int64_t evaluate_every = 0;  // 0: never
  BestSettings best = {};
  std::uint64_t seed = 42;
  RunLength length;
  torch::Device device = torch::kCPU;
  config::FlatConfig config;         // stored in checkpoints
  config::FlatConfig defaults = {};  // of keys that an earlier raven did not store
  std::string data_hash;  // of the training manifest (data_hash()); stored and compared, too
  std::string manifest;   // its name, for messages
  std::map<std::string, std::string> run_files;  // TrainState::run_files
  std::map<std::string, std::string> card = {};  // TrainState::card
  bool shard_optimizer = false;                  // see StateShard
  /// Of the rank that writes: called once when training begins, after what it goes on from was
  /// accepted, with the steps that were done before.
  std::function<void(std::int64_t from_step)> on_start = {};
};

/// Takes a task from its newest checkpoint, or from the start, to its last step: batches, updates,
/// reports, evaluations and checkpoints.
///
/// Note [Exact resume]: everything random in a step follows from (seed, step, batch in the step)
/// because torch's generator is seeded anew before each; everything random in a batch from (seed,
/// epoch, item). So a checkpoint holds tensors, step and loader position, and a run killed at any
/// moment ends with the same bytes, given the same data and number of CPU threads: both are
/// recorded, other data are refused, other threads warned of.
///
/// Note [Ranks]: each rank has a trainer, with its share of the batches of each step
/// (data::Share). Rank 0 alone owns the folder (the others have it as RunFolder::Access::kReader),
/// evaluates held-out data and writes, but for each rank's own NaN report; what is reported of
/// measures and waiting is rank 0's. All start from the newest checkpoint that all
/// can read, end after the same step when one is asked to stop, and save when one cannot read its
/// data. A run may go on with another number of ranks: the batches of a step are the same.
class Trainer {
 public:
  /// Task, source, folder and ranks must outlive the trainer; the task's module must be on the
  /// device.
  Trainer(Task& task, BatchSource& source, artifacts::RunFolder& folder,
          const TrainerSettings& settings,
          distributed::Communicator& ranks = distributed::one_rank());

  /// Goes on from the newest whole checkpoint, or starts; then trains to the last step, or to the
  /// end of the step in which `stop` was asked for, and saves; an evaluation is then cut short
  /// and made when the run goes on (of several ranks rank 0 decides that). True when the last step
  /// and its evaluation are done, or no evaluation was better for as long as BestSettings allows.
  /// Throws Error naming the tensor when a step has NaN or Inf. When the data fail
  /// (SkipBudgetError, ...), what was learned before is saved first.
  bool run(const std::stop_token& stop);

  [[nodiscard]] std::int64_t step() const { return step_; }

 private:
  void start(const std::stop_token& stop);
  void start_alike();
  std::optional<artifacts::Checkpoint> newest_checkpoint();
  std::optional<artifacts::Checkpoint> read_step(std::int64_t step, std::string& problem) const;
  void go_on_from(const artifacts::Checkpoint& checkpoint);
  void compare_length(const artifacts::TrainState& saved, const std::string& where) const;
  void tell_other_ranks(const artifacts::TrainState& saved, const std::string& where) const;
  void compare_seeding(const artifacts::TrainState& saved, const std::string& where) const;
  void compare_data(const artifacts::TrainState& saved, const std::string& where) const;
  std::vector<Batch> next_batches();
  void train_step(bool measure);
  void stop_if_bad();
  void report();
  void add_skipped();
  [[nodiscard]] std::string other_work();
  Numbers evaluated(const std::stop_token& stop);
  /// True on all ranks when it was the best so far, which is kept.
  bool evaluate(const std::stop_token& stop);
  void save(const data::LoaderPosition& position);
  void save_whole(const data::LoaderPosition& position);
  void write_curves() const;
  template <class Action>
  auto save_when_failing(const Action& action);
  [[nodiscard]] Numbers numbers_of_report();
  [[nodiscard]] Numbers speed_since_last_report();
  void add_ranks_speed(double elapsed, double steps, Numbers& numbers);
  [[nodiscard]] bool writes() const { return ranks_.rank() == 0; }
  [[nodiscard]] bool every(std::int64_t steps) const;
  [[nodiscard]] bool checkpoint_due() const;
  [[nodiscard]] bool at_end() const { return step_ >= settings_.length.steps || ended_early_; }
  [[nodiscard]] SeedOfBatch seeds_of(std::int64_t step) const;

  Task& task_;
  BatchSource& source_;
  artifacts::RunFolder& folder_;
  TrainerSettings settings_;
  distributed::Communicator& ranks_;
  std::optional<artifacts::CheckpointFolder> checkpoints_;  // rank 0's
  std::optional<CheckpointWriter> writer_;                  // of these
  Updater updater_;
  std::optional<Metrics> metrics_;  // rank 0's
  FiniteWatch watch_;
  RunningMeans means_;
  Numbers measures_;        // of the last measured step
  Numbers first_measures_;  // of the run
  std::int64_t step_ = 0, saved_step_ = -1;
  std::size_t told_skipped_ = 0;  // lines of this rank's source
  bool evaluation_due_ = false;   // the evaluation at step_ was cut short
  BestCheckpoint best_;           // rank 0 judges
  bool ended_early_ = false;      // of all ranks: best_ is over
  std::optional<doctor::OtherWork> other_work_{std::in_place};  // until the first report

  using Clock = std::chrono::steady_clock;
  Clock::time_point reported_at_ = Clock::now();
  double waited_before_s_ = 0, waited_for_ranks_s_ = 0;  // at the last report
  std::int64_t frames_ = 0, reported_step_ = 0;          // since / at the last report
};

}  // namespace raven::train
