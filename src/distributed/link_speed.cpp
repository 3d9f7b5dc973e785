#include "raven/distributed/link_speed.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "raven/core/error.h"

namespace raven::distributed {

std::vector<double> time_sums(Communicator& ranks, const SumTrial& trial,
                              const torch::Device& device) {
  constexpr std::int64_t kFloat = 4;
  RAVEN_CHECK(trial.bytes > 0 && trial.bytes % kFloat == 0 && trial.most > 0,
              "{} sums of {} bytes cannot be timed", trial.most, trial.bytes);
  using Clock = std::chrono::steady_clock;
  const auto seconds_since = [](Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  const auto tensor =
      torch::zeros({trial.bytes / kFloat}, torch::TensorOptions(torch::kFloat32).device(device));
  ranks.sum({tensor});
  std::vector<double> seconds;
  const auto begin = Clock::now();
  bool enough = false;
  while (!enough) {
    ranks.barrier();
    const auto one = Clock::now();
    ranks.sum({tensor});
    seconds.push_back(seconds_since(one));
    enough = ranks.any(std::ssize(seconds) == trial.most || seconds_since(begin) > trial.enough_s);
  }
  const auto told = torch::tensor(seconds, torch::kFloat64);
  ranks.broadcast({told}, /*root=*/0);
  const auto* times = told.data_ptr<double>();
  return {times, times + told.numel()};
}

double quantile(std::vector<double> seconds, double share) {
  RAVEN_CHECK(!seconds.empty(), "no times");
  std::ranges::sort(seconds);
  const auto at = static_cast<std::int64_t>(std::ceil(share * static_cast<double>(seconds.size())));
  return seconds[static_cast<std::size_t>(std::max<std::int64_t>(at, 1) - 1)];
}

}  // namespace raven::distributed
