#include "raven/train/trainer.h"

#include <sstream>

#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/core/progress.h"
#include "raven/core/random.h"
#include "raven/nn/device.h"
#include "raven/nn/state_dict.h"
#include "raven/report/curves.h"
#include "raven/report/metric_names.h"
#include "raven/train/collapse.h"
#include "raven/train/nan_report.h"
#include "train/report_line.h"

namespace raven::train {
namespace {

constexpr std::string_view kFirst = "first.";

double seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

Trainer::Trainer(Task& task, BatchSource& source, artifacts::RunFolder& folder,
                 const TrainerSettings& settings, distributed::Communicator& ranks)
    : task_(task),
      source_(source),
      folder_(folder),
      settings_(settings),
      ranks_(ranks),
      updater_(
          task, settings.optimizer, settings.length, settings.device, ranks,
          {.statistics = settings.train.batch_norm, .shard_optimizer = settings.shard_optimizer}),
      best_(settings.best) {
  RAVEN_CHECK(folder.is_owner() == writes(),
              "rank {} has the folder of a rank that writes, or the other way round", ranks.rank());
  if (writes()) {
    checkpoints_.emplace(folder.checkpoints(), settings.checkpoint.keep,
                         settings.checkpoint.keep_every);
    writer_.emplace(*checkpoints_, settings.checkpoint.background);
  }
}

bool Trainer::run(const std::stop_token& stop) {
  start(stop);
  while (!at_end() && !ranks_.any(stop.stop_requested())) {
    ranks_.note(step_, "training");
    if (writes()) writer_->check();
    const std::int64_t next = step_ + 1;
    const bool last = next == settings_.length.steps;
    const bool reports = next == 1 || last || next % settings_.log.every == 0;
    train_step(/*measure=*/reports);
    if (reports) report();
    const bool evaluates =
        settings_.evaluate_every > 0 && (last || every(settings_.evaluate_every));
    const bool is_best = evaluates && evaluate(stop);
    if (checkpoint_due() || is_best) save(source_.position());
  }
  if (saved_step_ != step_) save(source_.position());
  if (writes()) {
    ranks_.note(step_, "writing a checkpoint", /*long_work=*/true);
    writer_->wait();
    checkpoints_->settle();
  }
  ranks_.barrier();  // what rank 0 wrote is there for all
  log::repeated();
  return at_end() && !evaluation_due_;
}

// A run that has a whole checkpoint goes on from it; any other run starts from the seed's weights,
// and what an earlier attempt without a checkpoint reported is dropped.
void Trainer::start(const std::stop_token& stop) {
  if (const auto checkpoint = newest_checkpoint()) {
    go_on_from(*checkpoint);
    if (writes()) checkpoints_->go_on_from(checkpoint->state.step);
  }
  start_alike();
  if (writes()) {
    folder_.write_records();
    if (settings_.on_start) settings_.on_start(step_);
    metrics_.emplace(folder_.path(), step_, evaluation_due_);
    if (step_ > 0) write_curves();  // a kill may have come between a checkpoint and them
  }
  if (settings_.evaluate_every > 0 && (step_ == 0 || evaluation_due_)) {
    const bool was_due = evaluation_due_;
    evaluate(stop);
    if (was_due && !evaluation_due_)
      save(source_.position());  // else the next start would make it again
  }
  reported_step_ = step_;
  reported_at_ = Clock::now();
}

/// Whatever made weights on another host, or another file of the same name, they are those of rank
/// 0.
void Trainer::start_alike() {
  if (ranks_.size() == 1) return;
  std::vector<torch::Tensor> tensors;
  for (const auto& [name, tensor] : nn::state_dict(task_.module())) tensors.push_back(tensor);
  for (const auto& [name, tensor] : updater_.common_state()) tensors.push_back(tensor);
  ranks_.broadcast(tensors, /*root=*/0);
}

/// Rank 0 finds it, since a damaged one is set aside on the way; the others read the same, or all
/// take an earlier one.
std::optional<artifacts::Checkpoint> Trainer::newest_checkpoint() {
  auto checkpoint = writes() ? checkpoints_->newest_whole() : std::nullopt;
  if (ranks_.size() == 1) return checkpoint;
  std::string problems;
  while (true) {
    const auto found = torch::tensor(checkpoint ? checkpoint->state.step : -1, torch::kInt64);
    ranks_.broadcast({found}, /*root=*/0);
    const auto step = found.item<std::int64_t>();
    if (step < 0) break;
    std::string problem;
    if (!writes()) checkpoint = read_step(step, problem);
    if (!ranks_.any(!problem.empty())) return checkpoint;
    for (const auto& text : distributed::texts_of_all(ranks_, problem)) {
      if (!text.empty()) problems += fmt::format("\n  {}", text);
    }
    if (writes()) checkpoint = checkpoints_->newest_whole(/*before=*/step);
    if (writes() && checkpoint)
      log::warn(
          "not all ranks can read a later checkpoint than that of step {}, from which all go on:{}",
          checkpoint->state.step, problems);
  }
  if (problems.empty()) return std::nullopt;
  throw CheckpointError(fmt::format(
      "{}: there is no checkpoint that all ranks can read; the folder must be one that all hosts "
      "see:{}",
      folder_.checkpoints().string(), problems));
}

std::optional<artifacts::Checkpoint> Trainer::read_step(std::int64_t step,
                                                        std::string& problem) const {
  try {
    return artifacts::read_checkpoint(artifacts::path_of_step(folder_.checkpoints(), step));
  } catch (const Error& error) {
    problem = fmt::format("rank {}: {}", ranks_.rank(), error.what());
    return std::nullopt;
  }
}

void Trainer::go_on_from(const artifacts::Checkpoint& checkpoint) {
  const auto where = checkpoint.folder.string();
  const auto& state = checkpoint.state;
  const auto changed = artifacts::differences(state.config, settings_.config, settings_.defaults);
  if (!changed.empty()) {
    throw ConfigError(fmt::format("{} belongs to a run with another configuration:\n  {}", where,
                                  fmt::join(changed, "\n  ")));
  }
  compare_data(state, where);
  tell_other_ranks(state, where);
  compare_seeding(state, where);
  compare_length(state, where);
  const auto threads = torch::get_num_threads();
  if (settings_.device.is_cpu() && state.threads > 0 && state.threads != threads) {
    log::warn(
        "{} was made with {} threads, now there are {}: the result may differ in its last bits "
        "from that of a run that was never stopped; threads={} avoids it",
        where, state.threads, threads, state.threads);
  }
  artifacts::load_strictly(checkpoint.model, nn::state_dict(task_.module()),
                           where + "/model.safetensors");
  artifacts::load_strictly(checkpoint.optimizer, updater_.state(),
                           where + "/optimizer.safetensors");
  source_.seek(state.position);
  step_ = saved_step_ = state.step;
  evaluation_due_ = state.evaluation_due;
  best_.restore(state.best);
  ended_early_ = best_.is_over();
  means_.restore(state.numbers, settings_.device);
  for (const auto& [name, value] : state.numbers) {
    if (name.rfind(kFirst, 0) == 0) first_measures_[name.substr(kFirst.size())] = value;
  }
  if (writes()) log::info("goes on after step {} ({})", step_, where);
}

void Trainer::compare_data(const artifacts::TrainState& saved, const std::string& where) const {
  std::string problem;
  if (!saved.data_hash.empty() && saved.data_hash != settings_.data_hash) {
    problem = "ids, frame counts, transcripts or vocabulary of its utterances";
  } else if (saved.batches_per_epoch > 0 &&
             saved.batches_per_epoch != source_.batches_per_epoch()) {
    problem = fmt::format("batches per epoch ({} then, {} now)", saved.batches_per_epoch,
                          source_.batches_per_epoch());
  }
  if (problem.empty()) return;
  throw ConfigError(fmt::format(
      "{}: the training data changed since {} was made: other {}\nput the earlier manifest back to "
      "go on, or choose another run.dir to start on the new data",
      settings_.manifest, where, problem));
}

void Trainer::tell_other_ranks(const artifacts::TrainState& saved, const std::string& where) const {
  const bool matters =
      settings_.train.batch_norm == config::BatchStatistics::kAll && settings_.train.accumulate > 1;
  if (saved.ranks == ranks_.size() || !matters || !writes()) return;
  log::warn(
      "{} was made by {} ranks, now there are {}: batches are the same, but BatchNorm's statistics "
      "are those of as many batches as there are ranks; train.batch_norm=own avoids it",
      where, saved.ranks, ranks_.size());
}

void Trainer::compare_seeding(const artifacts::TrainState& saved, const std::string& where) const {
  const bool draws = saved.step < settings_.length.steps;
  const bool one_batch = settings_.train.accumulate == 1;
  const bool alike = saved.seeding <= artifacts::kSeeding && one_batch;
  if (!draws || alike || saved.seeding == artifacts::kSeeding) return;
  throw ConfigError(fmt::format(
      "{}: was made by {} raven, which drew the random numbers of the second and later batches of "
      "a step in another way, so that its run of {} batches a step cannot go on exactly; end it "
      "with that version, or start anew in another run.dir",
      where, saved.seeding < artifacts::kSeeding ? "an earlier" : "a later",
      settings_.train.accumulate));
}

/// Rates and momentum follow the length that is asked for now.
void Trainer::compare_length(const artifacts::TrainState& saved, const std::string& where) const {
  if (settings_.length.steps < saved.step) {
    throw ConfigError(
        fmt::format("{}: has made {} steps already, this configuration asks for {}; give "
                    "train.steps={} or more",
                    where, saved.step, settings_.length.steps, saved.step));
  }
  for (const char* key : {"train.steps", "train.epochs"}) {
    const auto then = saved.config.find(key), now = settings_.config.find(key);
    if (then == saved.config.end() || now == settings_.config.end() || then->second == now->second)
      continue;
    log::warn("{} was {}, now it is {}: learning rate and momentum follow the new length from here",
              key, then->second, now->second);
  }
}

/// When reading data fails after some steps: a checkpoint at the position before, so that no step
/// is lost, and what was skipped on the way.
template <class Action>
auto Trainer::save_when_failing(const Action& action) {
  const auto position = source_.position();
  try {
    return action();
  } catch (const PeerError&) {  // there is no time; what the others cannot join is not begun
    throw;
  } catch (...) {
    try {
      add_skipped();
      if (step_ > 0) save_whole(position);
    } catch (const std::exception& error) {
      log::warn("the steps since the last checkpoint could not be saved: {}", error.what());
    }
    throw;
  }
}

/// Where one rank cannot read its batches, all save and end.
std::vector<Batch> Trainer::next_batches() {
  const data::Share share{
      .rank = ranks_.rank(), .ranks = ranks_.size(), .step_batches = settings_.train.accumulate};
  bool all_saved = false;
  const auto read = [&] {
    std::vector<Batch> batches;
    std::exception_ptr problem;
    try {
      for (std::int64_t i = 0; i < share.own_batches(); ++i) {
        batches.push_back(source_.next());
        frames_ += batches.back().num_frames();
      }
    } catch (...) {
      problem = std::current_exception();
    }
    all_saved = ranks_.any(problem != nullptr);
    if (problem) std::rethrow_exception(problem);
    if (all_saved) throw DataError("another rank cannot read its batches", "rank");
    return batches;
  };
  try {
    return save_when_failing(read);
  } catch (const DataError& error) {
    if (all_saved) ranks_.barrier();  // the checkpoint is whole before a rank leaves
    if (error.reason() == "rank") ranks_.throw_failure_of_peer(error.what());
    throw;
  } catch (const PeerError&) {
    throw;
  } catch (...) {
    if (all_saved) ranks_.barrier();
    throw;
  }
}

void Trainer::train_step(bool measure) {
  auto batches = next_batches();
  const auto gradients =
      updater_.gradients(batches, {.step = step_, .measure = measure, .seed = seeds_of(step_)});
  stop_if_bad();  // the step before this one, on a GPU; its update was skipped there
  updater_.apply(gradients);
  means_.add(gradients.values);
  measures_ = gradients.measures;
  ++step_;
  watch_.record({.number = step_, .batches = std::move(batches), .numbers = gradients.numbers},
                gradients.bad);
  if (settings_.device.is_cpu()) stop_if_bad();
}

void Trainer::stop_if_bad() {
  const auto bad = watch_.check();
  if (!bad) return;
  auto folder = folder_.path() / "nan" / fmt::format("step_{:08}", bad->number);
  if (!writes()) folder /= fmt::format("rank_{}", ranks_.rank());
  throw Error(report_nan(task_, *bad, settings_.device, folder));
}

void Trainer::report() {
  stop_if_bad();
  auto numbers = numbers_of_report();
  if (first_measures_.empty()) first_measures_ = measures_;
  add_skipped();
  if (!writes()) return;
  count_skipped(folder_.skipped(), "", numbers);
  metrics_->write(step_, "train", numbers);
  log::info("{}{}", report_line(step_, settings_.length.steps, numbers), other_work());
  constexpr std::int64_t kEarly = 500;  // steps in which a long run may well have learnt nothing
  const bool warmed_up = step_ > settings_.length.warmup_steps &&
                         step_ >= std::min(kEarly, settings_.length.steps / 4);
  for (const auto& [kind, message] : collapse_warnings(first_measures_, numbers, warmed_up)) {
    log::warn_once(kind, message);
  }
}

/// What all ranks could not use, in rank 0's record.
void Trainer::add_skipped() {
  const auto own = source_.skipped_lines();
  const bool has_news = std::size(own) > told_skipped_;
  told_skipped_ = std::size(own);
  if (writes()) folder_.add_skipped(own);
  if (ranks_.size() == 1 || !ranks_.any(has_news && !writes())) return;
  const auto texts =
      distributed::texts_of_all(ranks_, writes() ? "" : fmt::format("{}", fmt::join(own, "\n")));
  if (!writes()) return;
  for (const auto& text : texts) {
    std::vector<std::string> lines;
    std::istringstream all(text);
    for (std::string line; std::getline(all, line);) lines.push_back(line);
    folder_.add_skipped(lines);
  }
}

Numbers Trainer::numbers_of_report() {
  auto numbers = means_.take();
  for (const auto& [name, value] : measures_) numbers[name] = value;
  for (const auto& [name, value] : task_.settings_at(step_ - 1)) numbers[name] = value;
  for (const auto& [name, value] : updater_.rates_at(step_ - 1)) numbers[name] = value;
  const auto batches = step_ * settings_.train.accumulate;
  numbers[report::metric("epoch")] =
      static_cast<double>(batches) / static_cast<double>(source_.batches_per_epoch());
  for (const auto& [name, value] : speed_since_last_report()) numbers[name] = value;
  return numbers;
}

/// What the first line of a run on the CPU says of a machine that is busy with other work.
std::string Trainer::other_work() {
  if (!other_work_) return "";
  const auto taken = other_work_->cores_taken();
  if (!taken) return "";  // too soon
  const auto cores = other_work_->cores();
  other_work_.reset();
  if (!settings_.device.is_cpu()) return "";
  const auto busy = doctor::other_work_text(*taken, cores, torch::get_num_threads());
  return busy.empty() ? "" : fmt::format("  ({}; raven shares them)", busy);
}

Numbers Trainer::speed_since_last_report() {
  const auto now = Clock::now();
  const double elapsed = std::max(seconds(now - reported_at_), 1e-9);
  const double waited = source_.waited_s();
  const auto frames = torch::tensor(frames_, torch::kInt64);
  ranks_.sum({frames});
  const double steps = static_cast<double>(step_ - reported_step_);
  const auto memory = nn::memory_use(settings_.device);
  using report::metric;
  Numbers numbers{{metric("frames_per_s"), frames.item<double>() / elapsed},
                  {metric("wait_share"), std::min((waited - waited_before_s_) / elapsed, 1.0)},
                  {metric("step_s"), elapsed / std::max(steps, 1.0)},
                  {metric("rss_bytes"), static_cast<double>(memory.resident)}};
  add_ranks_speed(elapsed, steps, numbers);
  if (settings_.device.is_cuda()) {
    numbers[metric("device_bytes")] = static_cast<double>(memory.peak_device);
  }
  reported_at_ = now;
  reported_step_ = step_;
  waited_before_s_ = waited;
  frames_ = 0;
  return numbers;
}

/// How long ranks wait for each other, and for whom.
void Trainer::add_ranks_speed(double elapsed, double steps, Numbers& numbers) {
  if (ranks_.size() == 1) return;
  const double waited = ranks_.waited_s() - waited_for_ranks_s_;
  waited_for_ranks_s_ = ranks_.waited_s();
  auto busy = torch::zeros({ranks_.size()}, torch::kFloat64);  // seconds a step
  busy[ranks_.rank()] = (elapsed - waited) / std::max(steps, 1.0);
  ranks_.sum({busy});
  using report::metric;
  const auto slowest = busy.argmax().item<std::int64_t>();
  const double median = busy.median().item<double>();
  numbers[metric("ranks")] = static_cast<double>(ranks_.size());
  numbers[metric("ranks_wait_share")] = std::clamp(waited / elapsed, 0.0, 1.0);
  numbers[metric("slowest_rank")] = static_cast<double>(slowest);
  numbers[metric("slowest_rank_share")] = busy[slowest].item<double>() / std::max(median, 1e-9) - 1;
}

/// What rank 0 finds. Where it fails, all save together.
Numbers Trainer::evaluated(const std::stop_token& stop) {
  Numbers numbers;
  std::exception_ptr problem;
  if (writes()) {
    try {
      numbers = task_.evaluate(stop);
    } catch (...) {
      problem = std::current_exception();
    }
  }
  if (!ranks_.any(problem != nullptr)) return numbers;
  try {
    save_when_failing([&] {
      if (problem) std::rethrow_exception(problem);
      throw Error("rank 0 cannot evaluate held-out data");
    });
  } catch (const PeerError&) {
    throw;
  } catch (const std::exception& error) {
    ranks_.barrier();  // the checkpoint is whole before a rank leaves
    if (!writes()) ranks_.throw_failure_of_peer(error.what());
    throw;
  }
  return numbers;
}

bool Trainer::evaluate(const std::stop_token& stop) {
  stop_if_bad();
  const auto begin = Clock::now();
  evaluation_due_ = true;  // until it is made
  ranks_.note(step_, "evaluating held-out data", /*long_work=*/true);
  const auto numbers = evaluated(stop);
  evaluation_due_ = ranks_.any(writes() && numbers.empty() && stop.stop_requested());
  if (!numbers.empty()) {
    metrics_->write(step_, "held_out", numbers);
    log::info("{}", held_out_line(step_, numbers));
    best_.judge(step_, numbers);
  }
  ended_early_ = ranks_.any(writes() && best_.is_over());
  if (writes() && ended_early_) {
    log::info("validation.patience: {} evaluations were no better than that of step {}: ends here",
              best_.best()->evaluations_since, best_.best()->step);
  }
  reported_at_ += Clock::now() - begin;  // speed is that of training
  return ranks_.any(writes() && best_.is_at(step_));
}

/// The checkpoint is whole when it returns.
void Trainer::save_whole(const data::LoaderPosition& position) {
  if (saved_step_ != step_) save(position);
  if (writes()) writer_->wait();
}

void Trainer::save(const data::LoaderPosition& position) {
  stop_if_bad();
  ranks_.note(step_, "writing a checkpoint", /*long_work=*/true);
  if (!writes()) {
    if (updater_.is_sharded()) updater_.fetch_state({});
    saved_step_ = step_;
    return;
  }
  const auto begin = Clock::now();
  artifacts::TrainState state{.step = step_,
                              .length = ended_early_ ? step_ : settings_.length.steps,
                              .position = position,
                              .seed = settings_.seed,
                              .config = settings_.config,
                              .numbers = means_.save(),
                              .data_hash = settings_.data_hash,
                              .batches_per_epoch = source_.batches_per_epoch(),
                              .ranks = ranks_.size(),
                              .threads = torch::get_num_threads(),
                              .run_files = settings_.run_files,
                              .card = settings_.card,
                              .evaluation_due = evaluation_due_,
                              .interim = !checkpoint_due() && !at_end(),
                              .best = best_.best()};
  for (const auto& [name, value] : first_measures_)
    state.numbers[std::string(kFirst) + name] = value;
  CheckpointWriter::Calls calls{
      .ready = [this] { metrics_->flush(); },  // what a checkpoint goes on from is on disk with it
      .written =
          [this, path = checkpoints_->path_of(step_).string()](double waited_s) {
            write_curves();
            log::info("saved {} (training waited {:.2f} s)", path, waited_s);
          }};
  if (updater_.is_sharded()) {
    calls.fetch = [this](const NamedTensors& whole) { updater_.fetch_state(whole); };
  }
  writer_->write(std::move(state), nn::state_dict(task_.module()), updater_.state(),
                 std::move(calls));
  saved_step_ = step_;
  reported_at_ += Clock::now() - begin;
}

void Trainer::write_curves() const {
  report::write_curves(folder_.path() / "metrics.jsonl", folder_.path() / "curves.svg");
}

bool Trainer::every(std::int64_t steps) const { return step_ % steps == 0; }

bool Trainer::checkpoint_due() const { return step_ > 0 && every(settings_.checkpoint.every); }

// See Note [Exact resume]. Every batch of a step draws for itself, so that it does not matter which
// process computes it; the first one as if it were alone.
SeedOfBatch Trainer::seeds_of(std::int64_t step) const {
  const auto of_step = mix_seed(
      {settings_.seed, static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(Draw::kStep)});
  return [of_step](std::int64_t batch) {
    return batch == 0 ? of_step : mix_seed({of_step, static_cast<std::uint64_t>(batch)});
  };
}

}  // namespace raven::train
