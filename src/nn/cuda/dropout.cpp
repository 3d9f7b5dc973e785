#include "nn/cuda/dropout.h"

#include <ATen/CPUGeneratorImpl.h>

#include <atomic>
#include <mutex>
#include <optional>

#include "raven/core/error.h"
#include "raven/nn/dropout_seed.h"

namespace raven::nn {
namespace {

struct Calls {
  torch::Tensor seed;
  std::int64_t next = 0;
};

std::atomic<bool> enabled{false};
thread_local std::optional<Calls> calls;

std::uint64_t draw_seed() {
  auto generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(generator.mutex());
  return at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
}

}  // namespace

DropoutSeed::DropoutSeed(torch::Tensor seed) {
  if (!enabled) return;
  RAVEN_CHECK(!calls, "a dropout seed within another");
  RAVEN_CHECK(seed.scalar_type() == torch::kInt64 && seed.numel() == 1,
              "a dropout seed is one int64");
  calls.emplace(Calls{.seed = std::move(seed)});
}

DropoutSeed::~DropoutSeed() { calls.reset(); }

void enable_dropout_seeds(bool on) { enabled = on; }

namespace cuda {

DropoutDraw draw_dropout(double rate) {
  if (rate <= 0) return {};
  if (calls) return {.rate = rate, .seed_of_step = calls->seed, .call = calls->next++};
  return {.rate = rate, .seed = draw_seed()};
}

DropoutOptions DropoutDraw::options() const {
  const auto* on_device =
      seed_of_step.defined()
          ? reinterpret_cast<const std::uint64_t*>(seed_of_step.const_data_ptr<std::int64_t>())
          : nullptr;
  return {.rate = rate,
          .seed = seed,
          .seed_of_step = on_device,
          .call = static_cast<std::uint32_t>(call)};
}

void DropoutDraw::save(torch::autograd::AutogradContext& context) const {
  context.saved_data["rate"] = rate;
  context.saved_data["seed"] = static_cast<std::int64_t>(seed);
  context.saved_data["seed_of_step"] = seed_of_step;
  context.saved_data["call"] = call;
}

DropoutDraw DropoutDraw::saved(torch::autograd::AutogradContext& context) {
  const auto& data = context.saved_data;
  return {.rate = data.at("rate").toDouble(),
          .seed = static_cast<std::uint64_t>(data.at("seed").toInt()),
          .seed_of_step = data.at("seed_of_step").toTensor(),
          .call = data.at("call").toInt()};
}

}  // namespace cuda
}  // namespace raven::nn
