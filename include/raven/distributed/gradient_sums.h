// Gradients summed over the batches and ranks of a step while backward still runs.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "raven/distributed/communicator.h"

namespace raven::distributed {

/// Gradients of parameters lie in buckets, in the order of the parameters; as soon as the last
/// backward of a step is done with all of a bucket, and the sums of those before it have begun, its
/// sum over the ranks begins. Buckets are the same in every step and on every rank, so that a run
/// that goes on adds in the same order.
///
/// In float64 the order of additions is lost in the rounding to float32 at their end: the sum is
/// the same whichever rank computed which batch. Otherwise it shows in the last bits, which a ReLU
/// near 0 or AdamW's division by a gradient near 0 makes visible after some steps.
///
/// c10d's Reducer, made for this, wants one backward in which every parameter takes part on every
/// rank: here each student has a backward of its own, and a rank may be without a batch.
class GradientSums {
 public:
  /// `parameters`: in the order in which backward comes to them, as nearly as is known; all of one
  /// type and device. `type`: of the sums, kFloat32 or kFloat64. Ranks must outlive it.
  GradientSums(std::vector<torch::Tensor> parameters, Communicator& ranks,
               torch::ScalarType type = torch::kFloat32,
               std::int64_t bucket_bytes = std::int64_t{8} << 20);
  ~GradientSums();
  GradientSums(const GradientSums&) = delete;
  GradientSums& operator=(const GradientSums&) = delete;

  /// Before each backward of a batch; `last`: of the step, on this rank. Gradients are undefined
  /// before the first.
  void begin_batch(bool last);
  /// Waits until every gradient is the sum over all batches and ranks, where one that no batch
  /// reached is 0. Also on a rank without a batch.
  void finish();

  [[nodiscard]] std::int64_t num_buckets() const { return std::ssize(buckets_); }

 private:
  struct Bucket {
    std::vector<std::size_t> members;  // parameters
    std::vector<std::int64_t> begins;  // of each in the flat tensor
    std::int64_t size = 0;
    std::int64_t left = 0;  // gradients that are not complete
    torch::Tensor flat;     // of the step, once something is in it
    std::unique_ptr<PendingSum> sum;
  };
  class Hook;

  void accumulated(std::size_t parameter);
  void add(Bucket& bucket, std::size_t member);
  void start(Bucket& bucket);

  std::vector<torch::Tensor> parameters_;
  Communicator& ranks_;
  torch::ScalarType type_;
  std::vector<Bucket> buckets_;
  std::vector<std::size_t> bucket_of_, member_of_;  // of each parameter
  std::size_t next_ = 0;                            // bucket whose sum begins next
  bool in_step_ = false, last_ = false;
};

}  // namespace raven::distributed
