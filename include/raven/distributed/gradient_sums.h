// Gradients summed over ranks while backward still runs.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "raven/distributed/communicator.h"

namespace raven::distributed {

/// Gradients of parameters lie in buckets, in the order of the parameters; as soon as backward is
/// done with all of a bucket, and the sums of those before it have begun, its sum begins. Buckets
/// are the same in every step and on every rank, so that a run that goes on adds in the same order.
///
/// c10d's Reducer, made for this, wants one backward in which every parameter takes part on every
/// rank: here each student has a backward of its own, and a rank may be without a batch.
class GradientSums {
 public:
  /// `parameters`: in the order in which backward comes to them, as nearly as is known; all of one
  /// type and device. Ranks must outlive it.
  GradientSums(std::vector<torch::Tensor> parameters, Communicator& ranks,
               std::int64_t bucket_bytes = std::int64_t{8} << 20);
  ~GradientSums();
  GradientSums(const GradientSums&) = delete;
  GradientSums& operator=(const GradientSums&) = delete;

  /// Before the last backward of a step: what it accumulates is complete.
  void begin();
  /// Waits until every gradient is the sum over all ranks, where one that no batch of a rank reached
  /// counts as 0. Also without begin(), on a rank without a batch.
  void finish();

  [[nodiscard]] std::int64_t num_buckets() const { return std::ssize(buckets_); }

 private:
  struct Bucket {
    std::vector<std::size_t> members;    // parameters
    std::vector<std::int64_t> begins;    // of each in the flat tensor
    std::int64_t size = 0;
    std::int64_t left = 0;               // gradients that are not complete
    torch::Tensor flat;
    std::unique_ptr<PendingSum> sum;
  };
  class Hook;

  void complete(std::size_t parameter);
  void start(Bucket& bucket);

  std::vector<torch::Tensor> parameters_;
  Communicator& ranks_;
  std::vector<Bucket> buckets_;
  std::vector<std::size_t> bucket_of_;
  std::size_t next_ = 0;  // bucket whose sum begins next
  bool active_ = false;
};

}  // namespace raven::distributed
