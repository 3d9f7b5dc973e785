// Ranks that are threads of this process.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "raven/distributed/communicator.h"

namespace raven {

/// One rank works at a time, from one thing it says to the next, since LibTorch's generator of
/// random numbers is one for the process.
class RanksInThreads {
 public:
  explicit RanksInThreads(std::int64_t size)
      : said_(static_cast<std::size_t>(size)),
        ended_(static_cast<std::size_t>(size)),
        rounds_(static_cast<std::size_t>(size)) {}

  /// Calls `work` for each rank; returns when all have ended, or rethrows what one of them throws.
  void run(const std::function<void(distributed::Communicator&)>& work) {
    std::exception_ptr problem;
    std::vector<std::jthread> threads;
    for (std::int64_t rank = 0; rank < size(); ++rank) {
      threads.emplace_back([this, rank, &work, &problem] {
        Rank self(*this, rank);
        wait_for_turn(rank);
        torch::set_num_threads(1);  // OpenMP's number is one of each thread; sums keep their order
        try {
          work(self);
        } catch (...) {
          if (!failed_) problem = std::current_exception();  // the others end because of it
          failed_ = true;
        }
        ended_[static_cast<std::size_t>(rank)] = true;
        pass_on(rank);
      });
    }
    threads.clear();  // joins
    if (problem) std::rethrow_exception(problem);
  }

 private:
  using Tensors = std::vector<torch::Tensor>;
  struct Said {
    std::string call;
    Tensors tensors;
  };

  /// Sums when it is waited for, which all do in the same order.
  class LaterSum : public distributed::PendingSum {
   public:
    LaterSum(distributed::Communicator& rank, torch::Tensor tensor)
        : rank_(rank), tensor_(std::move(tensor)) {}
    void wait() override { rank_.sum({tensor_}); }

   private:
    distributed::Communicator& rank_;
    torch::Tensor tensor_;
  };

  class Rank : public distributed::Communicator {
   public:
    Rank(RanksInThreads& all, std::int64_t rank) : all_(all), rank_(rank) {}
    [[nodiscard]] std::int64_t rank() const override { return rank_; }
    [[nodiscard]] std::int64_t size() const override { return all_.size(); }
    void sum(const Tensors& tensors) override {
      const auto every = all_.exchange(rank_, "sum", tensors);
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        auto sum = every[0][i].clone();
        for (std::size_t r = 1; r < every.size(); ++r) sum += every[r][i];
        torch::NoGradGuard no_grad;
        auto into = tensors[i];
        into.copy_(sum);
      }
    }
    void broadcast(const Tensors& tensors, std::int64_t root) override {
      const auto every = all_.exchange(rank_, "broadcast", tensors);
      torch::NoGradGuard no_grad;
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        auto into = tensors[i];
        into.copy_(every[static_cast<std::size_t>(root)][i]);
      }
    }
    std::unique_ptr<distributed::PendingSum> begin_sum(const torch::Tensor& tensor) override {
      return std::make_unique<LaterSum>(*this, tensor);
    }
    Communicator& first(std::int64_t count) override {
      if (count == size()) return *this;
      if (count == 1) return distributed::one_rank();
      throw std::logic_error("ranks in threads have no groups");
    }
    void barrier() override { all_.exchange(rank_, "barrier", {}); }
    bool any(bool mine) override {
      const auto every = all_.exchange(rank_, "any", {torch::tensor(mine)});
      return std::ranges::any_of(every,
                                 [](const auto& said) { return said[0].template item<bool>(); });
    }

   private:
    RanksInThreads& all_;
    std::int64_t rank_;
  };

  [[nodiscard]] std::int64_t size() const { return std::ssize(said_); }

  static bool alike(const torch::Tensor& a, const torch::Tensor& b) {
    return a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type();
  }

  void wait_for_turn(std::int64_t rank) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return turn_ == rank; });
  }
  void pass_on(std::int64_t rank) {
    const std::lock_guard lock(mutex_);
    turn_ = (rank + 1) % size();
    while (ended_[static_cast<std::size_t>(turn_)] && turn_ != rank) turn_ = (turn_ + 1) % size();
    changed_.notify_all();
  }

  /// Copies of what every rank says, when it is this one's turn again.
  std::vector<Tensors> exchange(std::int64_t rank, const std::string& call, const Tensors& mine) {
    auto& said = said_[static_cast<std::size_t>(rank)];
    const auto rounds = ++rounds_[static_cast<std::size_t>(rank)];
    said = {.call = call, .tensors = {}};
    for (const auto& tensor : mine) said.tensors.push_back(tensor.detach().clone());
    pass_on(rank);
    wait_for_turn(rank);  // by now all have said it, or have gone on from there
    if (std::ranges::any_of(rounds_, [&](auto other) { return other < rounds; }))
      throw std::runtime_error("another rank has ended and says nothing");
    if (rank == 0) heard_ = said_;
    std::vector<Tensors> every;
    for (const auto& other : heard_) {
      if (other.call != call || !std::ranges::equal(other.tensors, mine, alike))
        throw std::runtime_error("another rank is somewhere else");
      every.push_back(other.tensors);
    }
    return every;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t turn_ = 0;
  bool failed_ = false;  // read and written in turns
  std::vector<Said> said_, heard_;
  std::vector<bool> ended_;
  std::vector<std::int64_t> rounds_;  // how often each has said something
};

}  // namespace raven
