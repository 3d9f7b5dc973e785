// What the ranks of a run, processes that train one model together, say to each other.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

namespace raven::distributed {

/// Every rank makes the same calls in the same order, with tensors of the same shapes and types, on
/// its device or on the CPU. A call throws Error when another rank has ended.
class Communicator {
 public:
  Communicator() = default;
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  [[nodiscard]] virtual std::int64_t rank() const = 0;  // 0 writes what a run writes
  [[nodiscard]] virtual std::int64_t size() const = 0;

  /// Each tensor becomes the sum of those of all ranks, added in the order of the ranks.
  virtual void sum(const std::vector<torch::Tensor>& tensors) = 0;
  /// Each tensor becomes that of rank `root`.
  virtual void broadcast(const std::vector<torch::Tensor>& tensors, std::int64_t root) = 0;
  /// Returns when every rank has come here.
  virtual void barrier() = 0;
  /// True on every rank when it is true on one: all stop after the same step.
  virtual bool any(bool mine) = 0;
};

/// A run of one process.
class OneRank : public Communicator {
 public:
  [[nodiscard]] std::int64_t rank() const override { return 0; }
  [[nodiscard]] std::int64_t size() const override { return 1; }
  void sum(const std::vector<torch::Tensor>& /*tensors*/) override {}
  void broadcast(const std::vector<torch::Tensor>& /*tensors*/, std::int64_t /*root*/) override {}
  void barrier() override {}
  bool any(bool mine) override { return mine; }
};

/// The only one where nothing else is said.
Communicator& one_rank();

}  // namespace raven::distributed
