#include "raven/distributed/process_ranks.h"

#ifndef USE_C10D_GLOO
#define USE_C10D_GLOO
#endif
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "distributed/own_address.h"
#include "distributed/store.h"
#include "distributed/watch.h"
#include "raven/core/error.h"
#include "raven/core/interrupt.h"

namespace raven::distributed {
namespace {

using Clock = std::chrono::steady_clock;
using Group = c10::intrusive_ptr<c10d::ProcessGroupGloo>;

/// A collective ends when all ranks have come or the watch ends the process: slow is not lost.
constexpr std::chrono::hours kNever{24 * 365};

std::string reachable_address(const Meeting& meeting, std::int64_t rank) {
  const auto& own = meeting.members[static_cast<std::size_t>(rank)].address;
  std::vector<std::string> all;
  for (const auto& member : meeting.members) all.push_back(member.address);
  const auto farther = farther_host(own, all);
  return farther.empty() ? own : address_towards(farther, meeting.port);
}

std::shared_ptr<gloo::transport::Device> make_device(const Meeting& meeting, std::int64_t rank) {
  using c10d::ProcessGroupGloo;
  if (const char* interface = std::getenv("GLOO_SOCKET_IFNAME"); interface != nullptr)
    return ProcessGroupGloo::createDeviceForInterface(interface);
  const auto address = reachable_address(meeting, rank);
  return address.empty() ? ProcessGroupGloo::createDefaultDevice()
                         : ProcessGroupGloo::createDeviceForHostname(address);
}

std::string text_of(const std::exception& error) {
  const auto* of_torch = dynamic_cast<const c10::Error*>(&error);
  const std::string text =
      of_torch != nullptr ? of_torch->what_without_backtrace() : full_message(error);
  return text.substr(0, text.find('\n'));
}

class WorkSum : public PendingSum {
 public:
  explicit WorkSum(std::function<void()> wait) : wait_(std::move(wait)) {}
  void wait() override { wait_(); }

 private:
  std::function<void()> wait_;
};

class ProcessRanks : public Communicator {
 public:
  ProcessRanks(const Launch& launch, const JoinSettings& settings, const std::stop_token& stop)
      : launch_(launch), settings_(settings), meeting_(meet(launch, settings.join, stop)) {
    watch_ =
        std::make_shared<Watch>(meeting_, connect_again(meeting_, launch, settings.join), launch,
                                WatchSettings{.lost = settings.lost, .hang = settings.hang});
    watch_->start();
    try {
      watch_->note(0, "connecting", /*long_work=*/false);
      group_ = make_group("all", launch.size);
      gradients_ = make_group("sums", launch.size);
    } catch (const std::exception& error) {
      tell_failure(error);
      watch_->stop();
      throw;
    }
  }
  ~ProcessRanks() override {
    watch_->leave();
    if (watch_->stop()) return;
    for (auto& [size, group] : first_) group.release();  // NOLINT(bugprone-unused-return-value)
    group_.release();
    gradients_.release();
  }

  [[nodiscard]] std::int64_t rank() const override { return launch_.rank; }
  [[nodiscard]] std::int64_t size() const override { return launch_.size; }

  void sum(const std::vector<torch::Tensor>& tensors) override { sum_in(group_, tensors); }

  std::unique_ptr<PendingSum> begin_sum(const torch::Tensor& tensor) override {
    RAVEN_CHECK(tensor.is_contiguous(), "a tensor to be summed is not contiguous");
    watch_->throw_if_ended();
    std::vector<torch::Tensor> on_host = {tensor.is_cpu() ? tensor.detach()
                                                          : tensor.detach().cpu()};
    const auto work = gradients_->allreduce(on_host);
    return std::make_unique<WorkSum>([this, work, tensor, host = on_host[0]] {
      together("sum of gradients", [&] { work->wait(); });
      if (tensor.is_cpu()) return;
      torch::NoGradGuard no_grad;
      auto into = tensor;
      into.copy_(host);
    });
  }

  void broadcast(const std::vector<torch::Tensor>& tensors, std::int64_t root) override {
    c10d::BroadcastOptions options;
    options.rootRank = root;
    flattened(tensors, [&](std::vector<torch::Tensor>& flat) {
      together("broadcast", [&] { group_->broadcast(flat, options)->wait(); });
    });
  }

  void barrier() override { any(false); }

  bool any(bool mine) override {
    std::vector<torch::Tensor> said = {torch::tensor({mine ? 1 : 0}, torch::kInt32)};
    c10d::AllreduceOptions options;
    options.reduceOp = c10d::ReduceOp::MAX;
    together("agreement", [&] { group_->allreduce(said, options)->wait(); });
    return said[0].item<std::int32_t>() != 0;
  }

  Communicator& first(std::int64_t count) override;

  void note(std::int64_t step, const char* doing, bool long_work) override {
    watch_->note(step, doing, long_work);
  }

  void tell_failure(const std::exception& error) override {
    if (dynamic_cast<const PeerError*>(&error) != nullptr) {
      watch_->follow_verdict();
      return;
    }
    const auto& self = meeting_.members[static_cast<std::size_t>(launch_.rank)];
    watch_->publish_own(
        {.code = exit_code_of(error),
         .text = fmt::format("{} failed: {}", name_of(launch_.rank, self), text_of(error))});
  }

  [[noreturn]] void throw_failure_of_peer(const std::string& otherwise) override {
    watch_->throw_verdict(otherwise, static_cast<int>(ExitCode::kStopped));
  }

  [[nodiscard]] double waited_s() const override {
    return std::chrono::duration<double>(waited_).count();
  }

  Group make_group(const std::string& name, std::int64_t size) {
    const auto store = c10::make_intrusive<c10d::PrefixStore>(name, meeting_.store);
    auto options = c10d::ProcessGroupGloo::Options::create(settings_.join);
    options->devices.push_back(make_device(meeting_, launch_.rank));
    Group group;
    const auto make = [&] {
      group = c10::make_intrusive<c10d::ProcessGroupGloo>(store, static_cast<int>(launch_.rank),
                                                          static_cast<int>(size), options);
    };
    if (size == launch_.size) {
      connected(make);
    } else {
      not_counted(make);
    }
    group->setTimeout(kNever);
    return group;
  }

  void sum_in(const Group& group, const std::vector<torch::Tensor>& tensors) {
    flattened(tensors, [&](std::vector<torch::Tensor>& flat) {
      const auto reduce = [&] { group->allreduce(flat)->wait(); };
      if (group == group_) {
        together("sum", reduce);
      } else {
        not_counted(reduce);
      }
    });
  }

  /// `action` on all tensors of a type as one on the CPU, whose values they have afterwards.
  template <class Action>
  static void flattened(const std::vector<torch::Tensor>& tensors, const Action& action) {
    torch::NoGradGuard no_grad;
    std::map<torch::ScalarType, std::vector<torch::Tensor>> by_type;
    for (const auto& tensor : tensors) by_type[tensor.scalar_type()].push_back(tensor.detach());
    for (auto& [type, same] : by_type) {
      std::vector<torch::Tensor> parts;
      for (const auto& tensor : same) parts.push_back(tensor.reshape({-1}));
      std::vector<torch::Tensor> flat = {
          same.size() == 1 && same[0].is_cpu() ? parts[0].contiguous() : torch::cat(parts).cpu()};
      action(flat);
      std::int64_t begin = 0;
      for (auto& tensor : same) {
        const auto part = flat[0].slice(0, begin, begin + tensor.numel());
        if (!part.is_alias_of(tensor)) tensor.copy_(part.view(tensor.sizes()));
        begin += tensor.numel();
      }
    }
  }

 private:
  /// A call that all ranks make.
  template <class Action>
  void together(const char* kind, const Action& action) {
    not_counted([&] {
      const Watch::Call call(*watch_, kind);
      action();
    });
  }

  /// A call that some ranks make.
  template <class Action>
  void not_counted(const Action& action) {
    if (const auto problem = problem_of(action); !problem.empty())
      watch_->throw_verdict("the connection to another rank was lost: " + problem,
                            static_cast<int>(ExitCode::kStopped));
  }

  /// Connects all ranks. What prevents it from the start, another start does not mend.
  template <class Action>
  void connected(const Action& action) {
    const auto problem = problem_of([&] {
      const Watch::Call call(*watch_, "connect");
      action();
    });
    if (problem.empty()) return;
    watch_->throw_verdict(
        fmt::format(
            "cannot connect to the other ranks: {}; they exchange tensors at ports of their "
            "own, above 1023, between all hosts: is a firewall between them? "
            "GLOO_SOCKET_IFNAME=<interface> chooses another network",
            problem),
        static_cast<int>(ExitCode::kFailed));
  }

  template <class Action>
  std::string problem_of(const Action& action) {
    watch_->throw_if_ended();
    const auto begin = Clock::now();
    std::string problem;
    try {
      action();
    } catch (const std::exception& error) {
      problem = text_of(error);
    }
    waited_ += Clock::now() - begin;
    return problem;
  }

  const Launch launch_;
  const JoinSettings settings_;
  const Meeting meeting_;
  std::shared_ptr<Watch> watch_;
  Group group_, gradients_;
  Clock::duration waited_{};
  std::map<std::int64_t, std::unique_ptr<Communicator>> first_;
};

/// The first ranks of all: the same watch, another group.
class FirstRanks : public Communicator {
 public:
  FirstRanks(ProcessRanks& all, std::int64_t size)
      : all_(all), size_(size), group_(all.make_group(fmt::format("first/{}", size), size)) {}
  [[nodiscard]] std::int64_t rank() const override { return all_.rank(); }
  [[nodiscard]] std::int64_t size() const override { return size_; }
  void sum(const std::vector<torch::Tensor>& tensors) override { all_.sum_in(group_, tensors); }
  std::unique_ptr<PendingSum> begin_sum(const torch::Tensor& tensor) override {
    sum({tensor});
    return one_rank().begin_sum(tensor);
  }
  void broadcast(const std::vector<torch::Tensor>& tensors, std::int64_t root) override {
    torch::NoGradGuard no_grad;
    for (const auto& tensor : tensors) {
      auto into = tensor;
      if (rank() != root) into.zero_();
    }
    sum(tensors);
  }
  void barrier() override { any(false); }
  bool any(bool mine) override {
    const auto said = torch::tensor({mine ? 1 : 0}, torch::kInt32);
    sum({said});
    return said.item<std::int32_t>() != 0;
  }
  Communicator& first(std::int64_t count) override { return all_.first(count); }

 private:
  ProcessRanks& all_;
  std::int64_t size_;
  Group group_;
};

Communicator& ProcessRanks::first(std::int64_t count) {
  RAVEN_CHECK(count > launch_.rank && count <= launch_.size, "rank {} is not among the first {}",
              launch_.rank, count);
  if (count == launch_.size) return *this;
  if (count == 1) return one_rank();
  auto& group = first_[count];
  if (!group) group = std::make_unique<FirstRanks>(*this, count);
  return *group;
}

}  // namespace

std::unique_ptr<Communicator> join(const Launch& launch, const JoinSettings& settings,
                                   const std::stop_token& stop) {
  RAVEN_CHECK(launch.size > 1, "one process has nobody to join");
  return std::make_unique<ProcessRanks>(launch, settings, stop);
}

void tell_failure_at_start(const Launch& launch, const std::exception& error) {
  constexpr std::chrono::seconds kLongest{10};
  if (launch.size == 1 || launch.host.empty()) return;
  tell_waiting_ranks(launch,
                     {.code = exit_code_of(error),
                      .text = fmt::format("rank {} failed: {}", launch.rank, text_of(error))},
                     kLongest);
}

}  // namespace raven::distributed
