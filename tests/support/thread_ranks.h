// Ranks that are threads of a test.
#pragma once

#include <barrier>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "raven/nn/statistics_reducer.h"

namespace raven {

/// What a rank gives to its networks: sums over all threads of `run_ranks`, in the order of ranks.
class ThreadRanks {
 public:
  using Body = std::function<void(int rank, const std::shared_ptr<nn::StatisticsReducer>& reducer)>;

  /// body(rank, reducer) in a thread for each rank. Rethrows what one of them throws.
  static void run(int num_ranks, const Body& body) {
    ThreadRanks ranks(num_ranks);
    std::vector<std::exception_ptr> problems(static_cast<std::size_t>(num_ranks));
    std::vector<std::thread> threads;
    for (int rank = 0; rank < num_ranks; ++rank) {
      threads.emplace_back([&, rank] {
        try {
          body(rank, std::make_shared<Reducer>(ranks, rank));
        } catch (...) {
          problems[static_cast<std::size_t>(rank)] = std::current_exception();
          ranks.barrier_.arrive_and_drop();
        }
      });
    }
    for (auto& thread : threads) thread.join();
    for (const auto& problem : problems) {
      if (problem) std::rethrow_exception(problem);
    }
  }

 private:
  class Reducer : public nn::StatisticsReducer {
   public:
    Reducer(ThreadRanks& ranks, int rank) : ranks_(ranks), rank_(rank) {}

    void sum(torch::Tensor& numbers) override {
      ranks_.given_[static_cast<std::size_t>(rank_)] = numbers;
      ranks_.barrier_.arrive_and_wait();
      auto total = torch::zeros_like(numbers);
      for (const auto& given : ranks_.given_) total += given;
      ranks_.barrier_.arrive_and_wait();
      numbers.copy_(total);
    }

   private:
    ThreadRanks& ranks_;
    int rank_;
  };

  explicit ThreadRanks(int num_ranks)
      : barrier_(num_ranks), given_(static_cast<std::size_t>(num_ranks)) {}

  std::barrier<> barrier_;
  std::vector<torch::Tensor> given_;
};

}  // namespace raven
