#include "raven/train/step_statistics.h"

#include <gtest/gtest.h>

#include <vector>

#include "support/ranks_in_threads.h"

namespace raven::train {
namespace {

constexpr std::int64_t kStepBatches = 5;

torch::Tensor batch_of(std::int64_t step, std::int64_t batch) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(1000 * step + batch);
  return torch::randn({4, 6, 3}, generator) * (1.0 + static_cast<double>(batch)) +
         static_cast<double>(batch);
}

struct Statistics {
  torch::Tensor mean, variance;
  std::int64_t batches = 0;
};

Statistics after_two_steps(distributed::Communicator& ranks, config::BatchStatistics which,
                           int times_in_a_batch = 1) {
  nn::BatchNorm norm(3);
  norm->running_mean.fill_(5);
  norm->train();
  torch::NoGradGuard no_grad;
  StepStatistics statistics(*norm, which, ranks);
  for (std::int64_t step = 0; step < 2; ++step) {
    statistics.begin(kStepBatches);
    for (auto batch = ranks.rank(); batch < kStepBatches; batch += ranks.size()) {
      statistics.begin_batch(batch);
      for (int k = 0; k < times_in_a_batch; ++k) norm->forward(batch_of(step, batch));
      statistics.end_batch(batch);
    }
    statistics.end();
  }
  return {.mean = norm->running_mean.clone(),
          .variance = norm->running_var.clone(),
          .batches = norm->num_batches_tracked.item<std::int64_t>()};
}

void expect_same(const Statistics& a, const Statistics& b) {
  EXPECT_TRUE(torch::allclose(a.mean, b.mean, 1e-6, 1e-6)) << a.mean << b.mean;
  EXPECT_TRUE(torch::allclose(a.variance, b.variance, 1e-6, 1e-6));
  EXPECT_EQ(a.batches, b.batches);
}

TEST(StepStatistics, OfOwnBatchesAreThoseOfOneProcess) {
  constexpr auto kOwn = config::BatchStatistics::kOwn;
  for (const int times : {1, 2}) {
    const auto alone = after_two_steps(distributed::one_rank(), kOwn, times);
    EXPECT_EQ(alone.batches, 2 * kStepBatches * times);
    for (const std::int64_t size : {2, 3, 7}) {  // of seven, two have no batch
      RanksInThreads(size).run([&](distributed::Communicator& ranks) {
        expect_same(alone, after_two_steps(ranks, kOwn, times));
      });
    }
  }
}

TEST(StepStatistics, OfAllAreShared) {
  constexpr auto kAll = config::BatchStatistics::kAll;
  std::vector<Statistics> both(2);
  RanksInThreads(2).run([&](distributed::Communicator& ranks) {
    both[static_cast<std::size_t>(ranks.rank())] = after_two_steps(ranks, kAll);
  });
  expect_same(both[0], both[1]);
  EXPECT_EQ(both[0].batches, 2 * 3) << "in three rounds a step, of which the last has one rank";
  const auto alone = after_two_steps(distributed::one_rank(), kAll);
  EXPECT_FALSE(torch::allclose(both[0].mean, alone.mean, 1e-3, 1e-3));
}

}  // namespace
}  // namespace raven::train
