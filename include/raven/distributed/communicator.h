// What the ranks of a run, processes that train one model together, say to each other.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace raven::distributed {

/// A sum under way.
class PendingSum {
 public:
  PendingSum() = default;
  virtual ~PendingSum() = default;
  PendingSum(const PendingSum&) = delete;
  PendingSum& operator=(const PendingSum&) = delete;
  /// Returns when the tensor holds the sum.
  virtual void wait() = 0;
};

/// Every rank makes the same calls in the same order, with tensors of the same shapes and types, on
/// its device or on the CPU. A call throws PeerError when another rank has ended or is lost. Sums
/// are the same bytes on all ranks, and again in another run of as many ranks.
class Communicator {
 public:
  Communicator() = default;
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  [[nodiscard]] virtual std::int64_t rank() const = 0;  // 0 writes what a run writes
  [[nodiscard]] virtual std::int64_t size() const = 0;

  /// Each tensor becomes the sum of those of all ranks.
  virtual void sum(const std::vector<torch::Tensor>& tensors) = 0;
  /// The same of one contiguous tensor, while this rank goes on: nobody may touch it before the
  /// wait. The order of these calls is one of their own, whatever other calls come between.
  virtual std::unique_ptr<PendingSum> begin_sum(const torch::Tensor& tensor) = 0;
  /// Each tensor becomes that of rank `root`.
  virtual void broadcast(const std::vector<torch::Tensor>& tensors, std::int64_t root) = 0;
  /// Returns when every rank has come here.
  virtual void barrier() = 0;
  /// True on every rank when it is true on one: all stop after the same step.
  virtual bool any(bool mine) = 0;
  /// Ranks 0 to count - 1 among themselves, for one of them; as long as this lives.
  virtual Communicator& first(std::int64_t count) = 0;

  /// Where this rank is, for the others' messages about it. `long_work`: it may keep the others
  /// waiting for as long as it likes.
  virtual void note(std::int64_t /*step*/, const char* /*doing*/, bool /*long_work*/ = false) {}
  /// This rank ends because of `error`: the others are told.
  virtual void tell_failure(const std::exception& /*error*/) {}
  /// Another rank is about to fail: throws PeerError with what it tells, or with `otherwise`.
  [[noreturn]] virtual void throw_failure_of_peer(const std::string& otherwise);
  /// Time spent waiting for other ranks, in total.
  [[nodiscard]] virtual double waited_s() const { return 0; }
};

/// A run of one process.
class OneRank : public Communicator {
 public:
  [[nodiscard]] std::int64_t rank() const override { return 0; }
  [[nodiscard]] std::int64_t size() const override { return 1; }
  void sum(const std::vector<torch::Tensor>& /*tensors*/) override {}
  std::unique_ptr<PendingSum> begin_sum(const torch::Tensor& tensor) override;
  void broadcast(const std::vector<torch::Tensor>& /*tensors*/, std::int64_t /*root*/) override {}
  void barrier() override {}
  bool any(bool mine) override { return mine; }
  Communicator& first(std::int64_t /*count*/) override { return *this; }
};

/// The only one where nothing else is said.
Communicator& one_rank();

/// What every rank says, in their order.
std::vector<std::string> texts_of_all(Communicator& ranks, const std::string& mine);

}  // namespace raven::distributed
