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
  void operator()(const torch::Tensor& /*tensor*/) override { sums_.accumulated(parameter_); }

 private:
  GradientSums& sums_;
  std::size_t parameter_;
};

GradientSums::GradientSums(std::vector<torch::Tensor> parameters, Communicator& ranks,
                           torch::ScalarType type, std::int64_t bucket_bytes)
    : parameters_(std::move(parameters)), ranks_(ranks), type_(type) {
  const auto bytes = static_cast<std::int64_t>(c10::elementSize(type));
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto& parameter = parameters_[i];
    RAVEN_CHECK(parameter.options().type_equal(parameters_[0].options()),
                "parameters of several types or devices");
    if (buckets_.empty() || (buckets_.back().size + parameter.numel()) * bytes > bucket_bytes)
      buckets_.emplace_back();
    auto& bucket = buckets_.back();
    bucket_of_.push_back(buckets_.size() - 1);
    member_of_.push_back(bucket.members.size());
    bucket.members.push_back(i);
    bucket.begins.push_back(bucket.size);
    bucket.size += aligned(parameter.numel());
    torch::autograd::impl::set_post_acc_grad_hooks(parameter, std::make_unique<Hook>(*this, i));
  }
}

GradientSums::~GradientSums() {
  for (const auto& parameter : parameters_)
    torch::autograd::impl::set_post_acc_grad_hooks(parameter, nullptr);
}

void GradientSums::begin_batch(bool last) {
  if (!in_step_) {
    next_ = 0;
    for (auto& bucket : buckets_) bucket.left = std::ssize(bucket.members);
  }
  in_step_ = true;
  last_ = last;
}

/// Of one type, a step's gradients add up where backward puts them; else in the bucket.
void GradientSums::accumulated(std::size_t parameter) {
  if (!in_step_) return;
  auto& bucket = buckets_[bucket_of_[parameter]];
  if (last_ || type_ != parameters_[parameter].scalar_type()) {
    RAVEN_CHECK(!bucket.sum, "a gradient is complete twice in one step");
    add(bucket, member_of_[parameter]);
  }
  if (!last_) return;
  RAVEN_CHECK(bucket.left > 0, "a gradient is complete twice in one step");
  --bucket.left;
  while (next_ < buckets_.size() && buckets_[next_].left == 0) start(buckets_[next_++]);
}

/// A gradient moves to its bucket.
void GradientSums::add(Bucket& bucket, std::size_t member) {
  torch::NoGradGuard no_grad;
  auto& parameter = parameters_[bucket.members[member]];
  if (!bucket.flat.defined())
    bucket.flat =
        torch::zeros({bucket.size}, parameter.options().dtype(type_).requires_grad(false));
  auto part = bucket.flat.narrow(0, bucket.begins[member], parameter.numel());
  part.add_(parameter.grad().reshape({-1}));
  parameter.mutable_grad().reset();
}

void GradientSums::start(Bucket& bucket) {
  for (std::size_t k = 0; k < bucket.members.size(); ++k) {  // of earlier batches alone
    if (parameters_[bucket.members[k]].grad().defined()) add(bucket, k);
  }
  if (!bucket.flat.defined()) {
    const auto& like = parameters_[bucket.members[0]];
    bucket.flat = torch::zeros({bucket.size}, like.options().dtype(type_).requires_grad(false));
  }
  if (drops_gradients(ranks_.rank())) bucket.flat.zero_();
  bucket.sum = ranks_.begin_sum(bucket.flat);
}

void GradientSums::finish() {
  torch::NoGradGuard no_grad;
  if (!in_step_) begin_batch(/*last=*/true);
  while (next_ < buckets_.size()) start(buckets_[next_++]);
  in_step_ = false;
  for (auto& bucket : buckets_) {
    bucket.sum->wait();
    bucket.sum.reset();
    for (std::size_t k = 0; k < bucket.members.size(); ++k) {
      auto& parameter = parameters_[bucket.members[k]];
      parameter.mutable_grad() = bucket.flat.narrow(0, bucket.begins[k], parameter.numel())
                                     .view(parameter.sizes())
                                     .to(parameter.scalar_type());
    }
    bucket.flat.reset();
  }
}

}  // namespace raven::distributed
