#include "nn/backend/batch_moments.h"

namespace raven::nn::backend {
namespace {

struct HeldReducer : torch::CustomClassHolder {
  explicit HeldReducer(std::shared_ptr<distributed::Communicator> given)
      : reducer(std::move(given)) {}
  std::shared_ptr<distributed::Communicator> reducer;
};

}  // namespace

torch::Tensor row_count(std::int64_t rows, const torch::Tensor& like) {
  return torch::full({}, static_cast<double>(rows), like.options().dtype(torch::kFloat64));
}

Moments over_ranks(const Moments& of_rank, distributed::Communicator* reducer) {
  if (reducer == nullptr) return of_rank;
  auto sums = torch::cat({of_rank.count.view(1), of_rank.mean * of_rank.count});
  reducer->sum({sums});
  Moments moments{.mean = {}, .squares = {}, .count = sums[0]};
  moments.mean = sums.slice(0, 1) / moments.count;
  moments.squares = of_rank.squares + of_rank.count * (of_rank.mean - moments.mean).square();
  reducer->sum({moments.squares});
  return moments;
}

void update_running(const Normalisation& input, const torch::Tensor& mean,
                    const torch::Tensor& unbiased_variance) {
  const auto type = input.running_mean.scalar_type();
  input.running_mean.lerp_(mean.to(type), input.momentum);
  input.running_variance.lerp_(unbiased_variance.to(type), input.momentum);
  input.batches_tracked.add_(1);
}

BackwardSums over_ranks(const BackwardSums& of_rank, distributed::Communicator* reducer) {
  if (reducer == nullptr) return of_rank;
  auto sums = torch::stack({of_rank.grad, of_rank.grad_times_x});
  reducer->sum({sums});
  return {.grad = sums[0], .grad_times_x = sums[1]};
}

BackwardChannels finish_backward(const BackwardSums& of_rank, const torch::Tensor& variance,
                                 const torch::Tensor& count, distributed::Communicator* reducer) {
  const auto inverse_variance =
      (variance.to(torch::kFloat64) + Normalisation::kEpsilon).reciprocal();
  const auto all = over_ranks(of_rank, reducer);
  return {.weight_grad = of_rank.grad_times_x * inverse_variance.sqrt(),
          .bias_grad = of_rank.grad,
          .mean_grad = all.grad / count,
          .slope = all.grad_times_x * inverse_variance / count};
}

c10::IValue to_saved(const std::shared_ptr<distributed::Communicator>& reducer) {
  if (reducer == nullptr) return {};
  return c10::IValue::make_capsule(c10::make_intrusive<HeldReducer>(reducer));
}

std::shared_ptr<distributed::Communicator> reducer_of(const c10::IValue& saved) {
  if (saved.isNone()) return nullptr;
  return c10::static_intrusive_pointer_cast<HeldReducer>(saved.toCapsule())->reducer;
}

}  // namespace raven::nn::backend
