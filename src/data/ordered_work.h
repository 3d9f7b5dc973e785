// Work on many threads whose results arrive in order.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

namespace raven::data {

/// Calls `work(i)` for i = 0 .. count - 1 on `workers` threads and `take(i, result)` in that order
/// on the calling thread. At most four results per worker wait at once. The first exception of
/// either ends the rest and is thrown. Returns false when `stop` was asked before the last result
/// was taken; work that has begun is then finished and lost, or thrown away with its exception.
template <class Work, class Take>
bool for_each_in_order(std::int64_t count, std::int64_t workers, std::stop_token stop, Work work,
                       Take take) {
  using Result = decltype(work(std::int64_t{0}));
  const auto window = 4 * workers;
  std::mutex mutex;  // guards all below up to the threads
  std::condition_variable_any filled, room;
  std::vector<std::optional<Result>> slots(static_cast<std::size_t>(window));
  std::int64_t next_to_start = 0, next_to_take = 0;
  std::exception_ptr error;
  bool ended = false;

  const auto run = [&] {
    while (true) {
      std::unique_lock lock(mutex);
      room.wait(lock, [&] {
        return ended || next_to_start >= count || next_to_start < next_to_take + window;
      });
      if (ended || next_to_start >= count) return;
      const auto i = next_to_start++;
      lock.unlock();
      try {
        auto result = work(i);
        lock.lock();
        slots[static_cast<std::size_t>(i % window)] = std::move(result);
      } catch (...) {
        if (!lock.owns_lock()) lock.lock();
        if (!error) error = std::current_exception();
        ended = true;
        room.notify_all();
      }
      filled.notify_all();
    }
  };
  struct Ending {  // wakes the workers before their threads are joined, also when take() throws
    ~Ending() {
      {
        const std::lock_guard lock(mutex);
        ended = true;
      }
      room.notify_all();
    }
    std::mutex& mutex;
    std::condition_variable_any& room;
    bool& ended;
  };
  std::vector<std::jthread> threads;
  const Ending ending{mutex, room, ended};
  for (std::int64_t i = 0; i < std::min(workers, count); ++i) threads.emplace_back(run);

  for (std::int64_t i = 0; i < count; ++i) {
    auto& slot = slots[static_cast<std::size_t>(i % window)];
    std::unique_lock lock(mutex);
    filled.wait(lock, stop, [&] { return error || slot.has_value(); });
    if (stop.stop_requested()) return false;
    if (error) std::rethrow_exception(error);
    auto result = std::move(*slot);
    slot.reset();
    next_to_take = i + 1;
    lock.unlock();
    room.notify_all();
    take(i, std::move(result));
  }
  return true;
}

}  // namespace raven::data
