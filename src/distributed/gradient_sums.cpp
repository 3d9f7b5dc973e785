#include "raven/distributed/gradient_sums.h"

#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <cstdlib>
#include <string>

#include "raven/core/error.h"

namespace raven::distributed {
namespace {

/// So that every gradient begins where vector instructions like it to.
std::int64_t aligned(std::int64_t elements) {
  constexpr std::int64_t kElements = 16;
  return (elements + kElements - 1) / kElements * kElements;
}

/// RAVEN_TEST_DROP_GRADIENTS names a rank that hands in zeros, so that a test of equal ranks can be
/// seen to fail (tests/e2e/two_ranks_equal.sh).
bool drops_gradients(std::int64_t rank) {
  const char* dropped = std::getenv("RAVEN_TEST_DROP_GRADIENTS");
  return dropped != nullptr && std::to_string(rank) == dropped;
}

}  // namespace

class GradientSums::Hook : public torch::autograd::PostAccumulateGradHook {
 public:
  Hook(GradientSums& sums, std::size_t parameter) : sums_(sums), parameter_(parameter) {}
  void operator()(const torch::Tensor& /*tensor*/) override { sums_.complete(parameter_); }

 private:
  GradientSums& sums_;
  std::size_t parameter_;
};

GradientSums::GradientSums(std::vector<torch::Tensor> parameters, Communicator& ranks,
                           std::int64_t bucket_bytes)
    : parameters_(std::move(parameters)), ranks_(ranks) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto& parameter = parameters_[i];
    RAVEN_CHECK(parameter.options().type_equal(parameters_[0].options()),
                "parameters of several types or devices");
    const auto bytes = static_cast<std::int64_t>(parameter.element_size());
    if (buckets_.empty() || (buckets_.back().size + parameter.numel()) * bytes > bucket_bytes)
      buckets_.emplace_back();
    auto& bucket = buckets_.back();
    bucket.members.push_back(i);
    bucket.begins.push_back(bucket.size);
    bucket.size += aligned(parameter.numel());
    bucket_of_.push_back(buckets_.size() - 1);
    torch::autograd::impl::set_post_acc_grad_hooks(parameter, std::make_unique<Hook>(*this, i));
  }
}

GradientSums::~GradientSums() {
  for (const auto& parameter : parameters_)
    torch::autograd::impl::set_post_acc_grad_hooks(parameter, nullptr);
}

void GradientSums::begin() {
  active_ = true;
  next_ = 0;
  for (auto& bucket : buckets_) bucket.left = std::ssize(bucket.members);
}

void GradientSums::complete(std::size_t parameter) {
  if (!active_) return;
  auto& bucket = buckets_[bucket_of_[parameter]];
  RAVEN_CHECK(bucket.left > 0 && !bucket.sum, "a gradient is complete twice in one step");
  --bucket.left;
  while (next_ < buckets_.size() && buckets_[next_].left == 0) start(buckets_[next_++]);
}

void GradientSums::start(Bucket& bucket) {
  torch::NoGradGuard no_grad;
  bucket.flat = torch::zeros({bucket.size}, parameters_[bucket.members[0]].options());
  for (std::size_t k = 0; k < bucket.members.size(); ++k) {
    auto& parameter = parameters_[bucket.members[k]];
    const auto part = bucket.flat.narrow(0, bucket.begins[k], parameter.numel());
    if (parameter.grad().defined()) part.copy_(parameter.grad().reshape({-1}));
  }
  if (drops_gradients(ranks_.rank())) bucket.flat.zero_();
  bucket.sum = ranks_.begin_sum(bucket.flat);
}

void GradientSums::finish() {
  torch::NoGradGuard no_grad;
  if (!active_) begin();
  while (next_ < buckets_.size()) start(buckets_[next_++]);
  active_ = false;
  for (auto& bucket : buckets_) {
    bucket.sum->wait();
    bucket.sum.reset();
    for (std::size_t k = 0; k < bucket.members.size(); ++k) {
      auto& parameter = parameters_[bucket.members[k]];
      parameter.mutable_grad() = bucket.flat.narrow(0, bucket.begins[k], parameter.numel())
                                     .view(parameter.sizes());
    }
    bucket.flat.reset();
  }
}

}  // namespace raven::distributed
