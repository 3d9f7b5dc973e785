#include "raven/train/step_statistics.h"

#include <algorithm>
#include <cmath>

#include "raven/core/error.h"

namespace raven::train {

/// The ranks that have a batch in a round, as BatchNorm's reducer.
class StepStatistics::RanksOfRound : public distributed::Communicator {
 public:
  explicit RanksOfRound(distributed::Communicator& all) : now_(&all) {}
  void set(distributed::Communicator& ranks) { now_ = &ranks; }

  [[nodiscard]] std::int64_t rank() const override { return now_->rank(); }
  [[nodiscard]] std::int64_t size() const override { return now_->size(); }
  void sum(const std::vector<torch::Tensor>& tensors) override { now_->sum(tensors); }
  std::unique_ptr<distributed::PendingSum> begin_sum(const torch::Tensor& tensor) override {
    return now_->begin_sum(tensor);
  }
  void broadcast(const std::vector<torch::Tensor>& tensors, std::int64_t root) override {
    now_->broadcast(tensors, root);
  }
  void barrier() override { now_->barrier(); }
  bool any(bool mine) override { return now_->any(mine); }
  Communicator& first(std::int64_t count) override { return now_->first(count); }

 private:
  distributed::Communicator* now_;
};

StepStatistics::StepStatistics(torch::nn::Module& module, config::BatchStatistics statistics,
                               distributed::Communicator& ranks)
    : module_(module), ranks_(ranks) {
  if (!counts_for_others() || statistics == config::BatchStatistics::kOwn) return;
  of_round_ = std::make_shared<RanksOfRound>(ranks);
  nn::share_statistics(module, of_round_);
}

StepStatistics::~StepStatistics() {
  if (of_round_) nn::share_statistics(module_, nullptr);
}

bool StepStatistics::counts_for_others() const { return ranks_.size() > 1; }

void StepStatistics::begin(std::int64_t batches) {
  if (!counts_for_others()) return;
  batches_ = batches;
  running_.clear();
  for (const auto& part : module_.modules()) {
    auto* norm = part->as<nn::BatchNormImpl>();
    if (norm == nullptr || !norm->is_training() || norm->statistics_fixed) continue;
    auto& running = running_.emplace_back(Running{.norm = norm});
    if (of_round_) continue;
    running.before = torch::stack({norm->running_mean, norm->running_var}).to(torch::kFloat64);
    running.shares = torch::zeros_like(running.before);
    running.seen_before = norm->num_batches_tracked.item<std::int64_t>();
  }
}

void StepStatistics::begin_batch(std::int64_t batch) {
  if (!counts_for_others()) return;
  if (of_round_) {
    const auto round = batch / ranks_.size() * ranks_.size();
    of_round_->set(ranks_.first(std::min(ranks_.size(), batches_ - round)));
    return;
  }
  for (auto& running : running_) {
    running.norm->running_mean.zero_();
    running.norm->running_var.zero_();
    running.seen = running.norm->num_batches_tracked.item<std::int64_t>();
  }
}

// A batch makes kept * running + share of the running statistics, where kept is 1 - momentum, to
// the power of the times that it passes the norm.
void StepStatistics::end_batch(std::int64_t batch) {
  if (!counts_for_others() || of_round_) return;
  for (auto& running : running_) {
    auto& norm = *running.norm;
    const auto times = norm.num_batches_tracked.item<std::int64_t>() - running.seen;
    running.kept = std::pow(1 - norm.momentum, static_cast<double>(times));
    const auto later = static_cast<double>(batches_ - 1 - batch);
    running.shares += std::pow(running.kept, later) *
                      torch::stack({norm.running_mean, norm.running_var}).to(torch::kFloat64);
  }
}

void StepStatistics::end() {
  if (!counts_for_others()) return;
  const bool all_took_part = batches_ % ranks_.size() == 0;
  if (of_round_) {
    of_round_->set(ranks_);
    if (all_took_part) return;
    std::vector<torch::Tensor> of_first;
    for (const auto& running : running_) {
      for (const auto& tensor : {running.norm->running_mean, running.norm->running_var,
                                 running.norm->num_batches_tracked})
        of_first.push_back(tensor);
    }
    ranks_.broadcast(of_first, /*root=*/0);
    return;
  }
  std::vector<torch::Tensor> sums;
  for (auto& running : running_) {
    if (ranks_.rank() == 0)
      running.shares += std::pow(running.kept, static_cast<double>(batches_)) * running.before;
    sums.push_back(running.shares);
    sums.push_back(running.norm->num_batches_tracked.sub_(running.seen_before));
  }
  if (!sums.empty()) ranks_.sum(sums);
  for (auto& running : running_) {
    running.norm->running_mean.copy_(running.shares[0]);
    running.norm->running_var.copy_(running.shares[1]);
    running.norm->num_batches_tracked.add_(running.seen_before);
  }
}

}  // namespace raven::train
