#include "raven/data/verification.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "raven/core/error.h"
#include "raven/core/processors.h"
#include "raven/core/utf8.h"
#include "raven/data/sample_reader.h"

namespace raven::data {
namespace {

/// Work that threads share: utterances are claimed by number, outcomes lie at their number.
struct Work {
  explicit Work(const Manifest& listed)
      : manifest(listed),
        shards(std::make_shared<ShardCache>()),
        outcomes(listed.utterances.size()),
        frames(listed.utterances.size()) {}

  const Manifest& manifest;
  const std::shared_ptr<ShardCache> shards;
  std::atomic<std::size_t> claimed = 0, done = 0;
  std::atomic<bool> stopped = false;
  // An element belongs to the thread that claimed it.
  std::vector<std::optional<Problem>> outcomes;
  std::vector<std::int64_t> frames;  // of what is usable

  std::mutex mutex;  // guards error
  std::exception_ptr error;
};

void check_member(const Location& location, ShardCache& shards) {
  if (location.member.empty()) return;
  const auto& shard = shards.open(location.file);
  shard.verify(shard.member(location.member));
}

void check_utterances(Work& work) {
  const SampleReader reader({}, work.shards, work.manifest.file);
  while (!work.stopped) {
    const auto number = work.claimed++;
    if (number >= work.manifest.utterances.size()) return;
    const auto& utterance = work.manifest.utterances[number];
    try {
      check_member(utterance.video, *work.shards);
      check_member(utterance.audio, *work.shards);
      work.frames[number] = reader.check(utterance);
    } catch (const DataError& error) {
      work.outcomes[number] =
          Problem{.id = utterance.id, .reason = error.reason(), .message = full_message(error)};
    } catch (const SystemError& error) {
      throw SystemError(fmt::format("{}: '{}': {}", utterance.origin.text(work.manifest.file),
                                    printable(utterance.id), full_message(error)));
    }
    ++work.done;
  }
}

void run_worker(Work& work) {
  try {
    check_utterances(work);
  } catch (...) {
    const std::lock_guard lock(work.mutex);
    if (!work.error) work.error = std::current_exception();
    work.stopped = true;
  }
}

std::int64_t num_threads(std::int64_t asked, std::size_t utterances) {
  return std::clamp<std::int64_t>(asked > 0 ? asked : usable_processors(), 1,
                                  std::max<std::int64_t>(1, static_cast<std::int64_t>(utterances)));
}

}  // namespace

Verification verify(const Manifest& manifest, std::int64_t workers,
                    const VerificationProgress& progress) {
  constexpr auto kLook = std::chrono::milliseconds(20);
  Work work(manifest);
  {
    std::vector<std::jthread> threads;
    for (std::int64_t k = num_threads(workers, work.outcomes.size()); k > 0; --k)
      threads.emplace_back([&] { run_worker(work); });
    while (!work.stopped && work.done < work.outcomes.size()) {
      std::this_thread::sleep_for(kLook);
      if (progress && !progress(static_cast<std::int64_t>(work.done))) work.stopped = true;
    }
  }
  if (work.error) std::rethrow_exception(work.error);
  // Claimed in order and finished by those who claimed, so what was looked at is a whole beginning.
  Verification result;
  result.utterances = static_cast<std::int64_t>(work.done);
  result.shards_without_index = work.shards->num_without_index();
  for (std::size_t i = 0; i < work.done; ++i) {
    if (auto& problem = work.outcomes[i]) {
      ++result.by_reason[problem->reason];
      result.problems.push_back(std::move(*problem));
    } else {
      ++result.usable;
      result.usable_frames += work.frames[i];
      result.other_lengths += work.frames[i] == manifest.utterances[i].frames ? 0 : 1;
    }
  }
  return result;
}

}  // namespace raven::data
