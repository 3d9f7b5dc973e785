#include "raven/distributed/gradient_sums.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raven/core/error.h"
#include "support/ranks_in_threads.h"

namespace raven::distributed {
namespace {

/// Ranks in threads that write down when sums begin.
class Told : public Communicator {
 public:
  explicit Told(Communicator& ranks) : ranks_(ranks) {}
  [[nodiscard]] std::int64_t rank() const override { return ranks_.rank(); }
  [[nodiscard]] std::int64_t size() const override { return ranks_.size(); }
  void sum(const std::vector<torch::Tensor>& tensors) override { ranks_.sum(tensors); }
  std::unique_ptr<PendingSum> begin_sum(const torch::Tensor& tensor) override {
    ++begun;
    return ranks_.begin_sum(tensor);
  }
  void broadcast(const std::vector<torch::Tensor>& tensors, std::int64_t root) override {
    ranks_.broadcast(tensors, root);
  }
  void barrier() override { ranks_.barrier(); }
  bool any(bool mine) override { return ranks_.any(mine); }
  Communicator& first(std::int64_t count) override { return ranks_.first(count); }
  int begun = 0;

 private:
  Communicator& ranks_;
};

std::vector<torch::Tensor> parameters() {
  std::vector<torch::Tensor> all;
  for (int i = 0; i < 4; ++i) all.push_back(torch::full({3}, i + 1.0).requires_grad_());
  return all;
}

TEST(GradientSums, AddUpWhileBackwardRuns) {
  RanksInThreads(2).run([](Communicator& ranks) {
    Told told(ranks);
    auto all = parameters();
    GradientSums sums(all, told, torch::kFloat32, /*bucket_bytes=*/2 * 16 * 4);
    ASSERT_EQ(sums.num_buckets(), 2);
    const double factor = ranks.rank() == 0 ? 1 : 10;
    for (int step = 0; step < 2; ++step) {
      for (auto& parameter : all) parameter.mutable_grad().reset();
      // A batch that is not the last one of its step, then the last one in two parts.
      sums.begin_batch(/*last=*/false);
      (all[0] + all[1] + all[2] + all[3]).sum().backward();
      EXPECT_EQ(told.begun, 2 * step);
      sums.begin_batch(/*last=*/true);
      (factor * (all[0] + all[1])).sum().backward();
      EXPECT_EQ(told.begun, 2 * step + 1) << "the first bucket is complete";
      (factor * (all[2] + all[3])).sum().backward();
      EXPECT_EQ(told.begun, 2 * step + 2);
      sums.finish();
      for (const auto& parameter : all)
        EXPECT_TRUE(torch::equal(parameter.grad(), torch::full({3}, 2 + 1 + 10.0)));
    }
  });
}

// 1 and 2^-24 added in float32 make 1; the order of 1, 2^-24, 2^-24 and -1 would show.
TEST(GradientSums, InFloat64LoseTheOrderOfBatches) {
  const float small = 5.9604645e-08F;
  const std::vector<float> batches = {1, small, small, -1};
  for (const std::int64_t size : {1, 2, 4}) {
    RanksInThreads(size).run([&](Communicator& ranks) {
      auto all = parameters();
      GradientSums sums(all, ranks, torch::kFloat64);
      for (std::size_t i = static_cast<std::size_t>(ranks.rank()); i < 4;
           i += static_cast<std::size_t>(size)) {
        sums.begin_batch(/*last=*/i + static_cast<std::size_t>(size) >= 4);
        (batches[i] * all[0]).sum().backward();
      }
      sums.finish();
      EXPECT_TRUE(torch::equal(all[0].grad(), torch::full({3}, 2 * small))) << size << " ranks";
      EXPECT_EQ(all[0].grad().scalar_type(), torch::kFloat32);
    });
  }
}

TEST(GradientSums, CountWhatARankDidNotReachAsZero) {
  RanksInThreads(2).run([](Communicator& ranks) {
    auto all = parameters();
    GradientSums sums(all, ranks, torch::kFloat32, /*bucket_bytes=*/2 * 16 * 4);
    if (ranks.rank() == 0) {  // the other has no batch
      sums.begin_batch(/*last=*/true);
      (all[1] + all[2]).sum().backward();
    }
    sums.finish();
    for (std::size_t i = 0; i < all.size(); ++i)
      EXPECT_TRUE(torch::equal(all[i].grad(), torch::full({3}, i == 1 || i == 2 ? 1.0 : 0.0)));
  });
}

TEST(GradientSums, LeaveBackwardAloneAfterwards) {
  RanksInThreads(2).run([](Communicator& ranks) {
    auto all = parameters();
    { const GradientSums sums(all, ranks); }
    all[0].sum().backward();
    EXPECT_TRUE(torch::equal(all[0].grad(), torch::ones({3})));
  });
}

TEST(GradientSums, RefuseAGradientThatIsCompleteTwice) {
  RanksInThreads(2).run([](Communicator& ranks) {
    auto all = parameters();
    GradientSums sums(all, ranks, torch::kFloat32, /*bucket_bytes=*/16 * 4);
    sums.begin_batch(/*last=*/true);
    all[0].sum().backward();
    EXPECT_THROW(all[0].sum().backward(), InternalError);
    sums.finish();
  });
}

}  // namespace
}  // namespace raven::distributed
