#include "raven/data/loader.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>
#include <thread>
#include <utility>

#include "data/batch_assembly.h"
#include "data/batch_memory.h"
#include "data/epoch_plan.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/core/processors.h"
#include "raven/core/summed_warnings.h"
#include "raven/core/utf8.h"
#include "raven/media/media.h"

namespace raven::data {
namespace {

using Clock = std::chrono::steady_clock;

/// Adds to `total` the time for which it lives.
class AddedTime {
 public:
  explicit AddedTime(Clock::duration& total) : total_(total) {}
  ~AddedTime() { total_ += Clock::now() - start_; }
  AddedTime(const AddedTime&) = delete;
  AddedTime& operator=(const AddedTime&) = delete;

 private:
  Clock::duration& total_;
  const Clock::time_point start_ = Clock::now();
};

/// A batch on its way. Rows are claimed one by one, so that many threads make one batch quickly.
struct Job {
  Job(const LoaderPosition& where, BatchAssembly made)
      : position(where), assembly(std::move(made)) {}

  LoaderPosition position;
  BatchAssembly assembly;
  std::size_t claimed = 0, filled = 0;  // rows; guarded by the loader's mutex
};

}  // namespace

// Note [Who works where]
// next(), seek() and the constructor run in the caller's thread: it plans, takes memory, adds jobs
// and finishes batches. Workers only fill rows: plain loops over memory, no Torch, whose thread
// count is the process' own. A job is shared, so a worker may end a row of a job that seek() has
// dropped.
struct Loader::State {
  State(Manifest listed, const LoaderOptions& given)
      : manifest(std::move(listed)),
        options(given),
        shards(std::make_shared<ShardCache>()),
        pixel(pixel_type(manifest)),
        own_reader(reader()),
        plan(planned_sizes(manifest, options, own_reader), options),
        memory(std::make_shared<BatchMemoryPool>(
            options.read_video
                ? plan.most_frames() * num_views(options) * options.video.crop * options.video.crop
                : 0,
            pixel, options.read_audio ? plan.most_frames() * media::kSamplesPerFrame : 0,
            options.pin_memory)),
        skips(options.skips ? options.skips : std::make_shared<SkipRecord>()),
        lengths(options.lengths ? options.lengths : std::make_shared<LengthRecord>()),
        next_out(options.share, plan.num_batches(), options.training),
        next_in(next_out) {}

  ~State() {
    {
      const std::lock_guard lock(mutex);
      stopped = true;
    }
    work.notify_all();
    workers.clear();  // joins
    tell_lengths();
  }

  [[nodiscard]] SampleReader reader() const {
    return {{.video = options.video,
             .waveform = options.waveform,
             .noise = options.noise,
             .absent_is_blank = options.absent_is_blank,
             .levels = pixel == torch::kFloat32,
             .whole_sound = options.whole_sound},
            shards,
            manifest.file};
  }

  [[nodiscard]] bool at_end(const LoaderPosition& position) const {
    return !options.training && position.batch >= plan.num_batches();
  }

  /// Hands out from there.
  void begin_at(const LoaderPosition& position) {
    next_out.begin_at(position);
    next_in.begin_at(position);
  }

  void work_until_stopped();
  void start_jobs();
  std::shared_ptr<Job> first_filled();
  void drop_first();
  void count(const std::vector<SkippedItem>& skipped);
  void note_lengths(const BatchAssembly& assembly);
  void tell_lengths() const;

  const Manifest manifest;
  const LoaderOptions options;
  const std::shared_ptr<ShardCache> shards;
  const torch::ScalarType pixel;
  const SampleReader own_reader;  // the caller's thread's
  EpochPlan plan;
  const std::shared_ptr<BatchMemoryPool> memory;
  const std::shared_ptr<SkipRecord> skips;
  const std::shared_ptr<LengthRecord> lengths;
  std::deque<Batch> parts;  // of the last batch, still to be handed out

  Deal next_out, next_in;  // batches to hand out and to start
  Clock::duration waited{};

  std::mutex mutex;  // guards the jobs' counters and all below
  std::condition_variable work, ready;
  std::deque<std::shared_ptr<Job>> jobs;  // in the order of handing out
  bool stopped = false;

  std::vector<std::jthread> workers;  // last: they use everything above
};

void Loader::State::work_until_stopped() {
  const auto worker_reader = reader();
  const auto first_unclaimed = [this]() -> std::shared_ptr<Job> {
    for (const auto& job : jobs) {
      if (job->claimed < job->assembly.num_rows()) return job;
    }
    return nullptr;
  };
  std::unique_lock lock(mutex);
  while (true) {
    std::shared_ptr<Job> job;
    work.wait(lock, [&] { return stopped || (job = first_unclaimed()) != nullptr; });
    if (stopped) return;
    const auto row = job->claimed++;
    lock.unlock();
    job->assembly.fill(row, worker_reader);
    lock.lock();
    if (++job->filled == job->assembly.num_rows()) ready.notify_one();
  }
}

/// Tops up the jobs under way to `prefetch` batches; without workers there is only the one in hand.
void Loader::State::start_jobs() {
  const auto wanted = options.workers == 0 ? 1 : std::max<std::int64_t>(1, options.prefetch);
  while (next_in.takes_part() && !at_end(next_in.own())) {
    {
      const std::lock_guard lock(mutex);
      if (std::ssize(jobs) >= wanted) return;
    }
    const auto position = next_in.own();
    auto job = std::make_shared<Job>(
        position, BatchAssembly(manifest, options, position, plan.batch(position), plan.sizes(),
                                memory->take()));
    next_in.advance();
    {
      const std::lock_guard lock(mutex);
      jobs.push_back(std::move(job));
    }
    work.notify_all();
  }
}

/// The next batch's job with all rows filled; it stays the first until next() is done with it.
std::shared_ptr<Job> Loader::State::first_filled() {
  std::unique_lock lock(mutex);
  auto job = jobs.front();
  if (options.workers == 0) {
    lock.unlock();
    for (; job->filled < job->assembly.num_rows(); ++job->filled)
      job->assembly.fill(job->filled, own_reader);
  } else {
    ready.wait(lock, [&] { return job->filled == job->assembly.num_rows(); });
  }
  return job;
}

void Loader::State::drop_first() {
  const std::lock_guard lock(mutex);
  jobs.pop_front();
}

void Loader::State::count(const std::vector<SkippedItem>& skipped) {
  for (const auto& [item, reason, message] : skipped) {
    const auto& id = manifest.utterances[static_cast<std::size_t>(item)].id;
    if (!skips->ids.insert(id).second) continue;  // counted in an earlier epoch
    // Skips are told, and counted, once in a run: whole folders may be missing.
    const auto times = ++skips->by_reason[reason];
    if (times <= SummedWarnings::kShown) {
      log::warn("skipped '{}' ({}): {}", id, reason, message);
    } else if (times == SummedWarnings::kShown + 1) {
      log::warn("more of this kind ({}) are counted; a run lists them in its skipped.tsv", reason);
    }
    skips->lines.push_back(id + "\t" + reason + "\t" + message);
  }
  if (std::ssize(skips->ids) > options.max_skipped) {
    throw SkipBudgetError(
        fmt::format("{}: {} utterances are unusable, data.max_skipped allows {}; the last one: {}",
                    manifest.names(), skips->ids.size(), options.max_skipped, skips->lines.back()));
  }
}

torch::ScalarType pixel_type(const Manifest& manifest) {
  const bool in_colour = std::ranges::any_of(
      manifest.utterances, [](const auto& u) { return u.grey == corpus::Grey::kColour; });
  return in_colour ? torch::kFloat32 : torch::kUInt8;
}

void Loader::State::note_lengths(const BatchAssembly& assembly) {
  for (const auto& [item, frames] : assembly.other_lengths()) {
    const auto& utterance = manifest.utterances[static_cast<std::size_t>(item)];
    lengths->ids.insert(utterance.id);
    if (!lengths->example.empty()) continue;
    lengths->example =
        fmt::format("{}: '{}' lists {} frames and holds {}", utterance.origin.text(manifest.file),
                    printable(utterance.id), utterance.frames, frames);
  }
  lengths->left_out += assembly.num_left_out();
}

/// Once for a list, after its first pass.
void Loader::State::tell_lengths() const {
  if (lengths->told || (lengths->ids.empty() && lengths->left_out == 0)) return;
  lengths->told = true;
  if (!lengths->ids.empty()) {
    log::warn(
        "{} of {} utterances are longer or shorter than listed, e.g. {}; their own length is used",
        lengths->ids.size(), manifest.utterances.size(), lengths->example);
  }
  if (lengths->left_out > 0) {
    log::warn(
        "{} clips were left out of batches that longer clips than listed fill up to {} frames; "
        "they are drawn anew in each epoch: correct the list, or raise data.max_frames",
        lengths->left_out, options.max_frames);
  }
}

LoaderOptions training_options(const config::DataConfig& data, std::int64_t seed) {
  LoaderOptions options;
  options.max_frames = data.max_frames;
  options.workers = num_readers(data.workers, /*most=*/4);
  options.prefetch = data.prefetch;
  options.max_skipped = data.max_skipped;
  options.seed = static_cast<std::uint64_t>(seed);
  options.video = data.video;
  options.waveform = data.waveform;
  return options;
}

LoaderOptions held_out_options(const config::DataConfig& data, std::int64_t seed,
                               const Manifest& manifest) {
  auto options = training_options(data, seed);
  options.training = false;
  options.max_frames = data.valid_max_frames;
  for (const auto& utterance : manifest.utterances) {
    if (!utterance.length_is_approximate)
      options.max_frames = std::max(options.max_frames, utterance.frames);
  }
  options.split_long_batches = true;
  options.max_clip_frames = kMaxListedFrames;
  return options;
}

Loader::Loader(Manifest manifest, const LoaderOptions& options) {
  check_video_input(options.video);
  RAVEN_CHECK(!options.mask || !options.video_time_mask, "two kinds of masks for one video");
  RAVEN_CHECK(options.training || options.share.ranks == 1, "a pass is not dealt out");
  state_ = std::make_unique<State>(std::move(manifest), options);
  state_->begin_at({});
  state_->start_jobs();
  for (std::int64_t k = 0; k < options.workers; ++k) {
    state_->workers.emplace_back([state = state_.get()] { state->work_until_stopped(); });
  }
}

Loader::~Loader() = default;

std::optional<Batch> Loader::next() {
  auto& state = *state_;
  const AddedTime waits(state.waited);
  const auto part = [&] {
    std::optional batch(std::move(state.parts.front()));
    state.parts.pop_front();
    return batch;
  };
  if (!state.parts.empty()) return part();
  RAVEN_CHECK(state.next_out.takes_part(), "a process without batches asks for one");
  for (std::int64_t empty_batches = 0; !state.at_end(state.next_out.own()); ++empty_batches) {
    if (empty_batches == state.plan.num_batches()) {
      throw SkipBudgetError(
          fmt::format("{}: not one utterance is usable; the last one: {}", state.manifest.names(),
                      state.skips->lines.empty() ? "" : state.skips->lines.back()));
    }
    state.start_jobs();
    const auto job = state.first_filled();
    auto batches = job->assembly.finish(state.own_reader);
    state.parts.assign(std::make_move_iterator(batches.begin()),
                       std::make_move_iterator(batches.end()));
    state.drop_first();
    const auto epoch = state.next_out.own().epoch;
    state.next_out.advance();
    state.count(job->assembly.skipped());
    state.note_lengths(job->assembly);
    const auto next = state.next_out.own();
    if (next.epoch > epoch || state.at_end(next)) state.tell_lengths();
    if (state.options.workers > 0) state.start_jobs();
    if (!state.parts.empty()) return part();
    if (state.options.share.ranks > 1) {  // the others would not pass it over
      throw SkipBudgetError(fmt::format(
          "{}: not one utterance of a batch is usable, which several ranks cannot pass over; mend "
          "the data first; the last one: {}",
          state.manifest.names(), state.skips->lines.empty() ? "" : state.skips->lines.back()));
    }
  }
  return std::nullopt;
}

LoaderPosition Loader::position() const { return state_->next_out.first(); }

void Loader::seek(const LoaderPosition& position) {
  auto& state = *state_;
  const auto num_batches = state.plan.num_batches();
  const bool known_epoch = state.options.training ? position.epoch >= 0 : position.epoch == 0;
  if (!known_epoch || position.batch < 0 || position.batch > num_batches) {
    throw ConfigError(fmt::format(
        "{}: no batch {} in epoch {}: an epoch has {} batches; was the run started with another "
        "manifest or data.max_frames?",
        state.manifest.names(), position.batch, position.epoch, num_batches));
  }
  std::deque<std::shared_ptr<Job>> dropped;
  {
    const std::lock_guard lock(state.mutex);
    dropped.swap(state.jobs);
  }
  state.parts.clear();
  state.begin_at(position);
  state.start_jobs();
}

std::int64_t Loader::batches_per_epoch() const { return state_->plan.num_batches(); }

std::map<std::string, std::int64_t> Loader::skipped() const { return state_->skips->by_reason; }

std::vector<std::string> Loader::skipped_lines() const { return state_->skips->lines; }

double Loader::waited_s() const { return std::chrono::duration<double>(state_->waited).count(); }

}  // namespace raven::data
