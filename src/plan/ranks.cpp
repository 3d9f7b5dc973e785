#include "raven/plan/ranks.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "raven/core/error.h"

namespace raven::plan {
namespace {

constexpr double kBitsOfByte = 8;

std::int64_t batch_norms(const Layers& layers) {
  std::int64_t sum = 0;
  for (const auto& layer : layers) sum += layer.batch_norms;
  return sum;
}

}  // namespace

const std::vector<Link>& stated_links() {
  static const std::vector<Link> links = {
      {.name = "8 GPUs a machine, NVLink; 400 Gbit/s each between machines",
       .inside_bytes_per_s = 450e9,
       .inside_latency_s = 20e-6,
       .outside_bytes_per_s = 50e9,
       .outside_latency_s = 30e-6},
      {.name = "8 GPUs a machine, NVLink; 100 Gbit/s in all between machines",
       .inside_bytes_per_s = 450e9,
       .inside_latency_s = 20e-6,
       .outside_bytes_per_s = 12.5e9,
       .outside_latency_s = 50e-6},
      {.name = "1 GPU a machine, 10 Gbit/s",
       .inside_bytes_per_s = 1.25e9,
       .inside_latency_s = 150e-6,
       .outside_bytes_per_s = 1.25e9,
       .outside_latency_s = 150e-6,
       .ranks_of_machine = 1}};
  return links;
}

Link link_of(double gbit_per_s, double latency_s) {
  const double bytes_per_s = gbit_per_s * 1e9 / kBitsOfByte;
  return {.name = fmt::format("{:g} Gbit/s, {:g} us", gbit_per_s, latency_s * 1e6),
          .inside_bytes_per_s = bytes_per_s,
          .inside_latency_s = latency_s,
          .outside_bytes_per_s = bytes_per_s,
          .outside_latency_s = latency_s};
}

Exchange exchange_of(const Networks& networks, config::BatchStatistics statistics) {
  constexpr double kFloat32 = 4, kFloat64 = 8;
  constexpr std::int64_t kForward = 2, kBackward = 1;
  const auto trained = static_cast<double>(networks.trained_parameters());
  if (statistics == config::BatchStatistics::kOwn) return {.gradient_bytes = kFloat64 * trained};
  Exchange exchange{.gradient_bytes = kFloat32 * trained};
  for (const auto& pass : networks.passes)
    exchange.batch_norm_sums += (kForward + kBackward) * batch_norms(pass.layers);
  if (networks.no_grad_sees_batches)
    exchange.batch_norm_sums += kForward * batch_norms(networks.no_grad);
  return exchange;
}

StepOfRanks step_of_ranks(const StepWork& work, const Exchange& exchange, std::int64_t ranks,
                          const Link& link) {
  RAVEN_CHECK(ranks > 0 && work.batches > 0, "{} batches of {} ranks", work.batches, ranks);
  constexpr double kHidden = 2.0 / 3;  // of a batch: its backward pass
  const auto count = static_cast<double>(ranks), batches = static_cast<double>(work.batches);
  const bool inside = ranks <= link.ranks_of_machine;
  const double speed = inside ? link.inside_bytes_per_s : link.outside_bytes_per_s;
  const double latency = inside ? link.inside_latency_s : link.outside_latency_s;
  StepOfRanks step;
  step.rounds = (work.batches + ranks - 1) / ranks;
  const auto rounds = static_cast<double>(step.rounds);
  step.compute_s = rounds * work.batch_s;
  step.sums_s = 2 * (count - 1) / count * exchange.gradient_bytes / speed;
  step.exposed_s = std::max(0.0, step.sums_s - kHidden * work.batch_s);
  if (ranks > 1) {
    step.batch_norm_s = rounds * static_cast<double>(exchange.batch_norm_sums) * latency *
                        (1 + std::log2(count) / 4);
  }
  if (step.seconds() > 0) step.efficiency = batches * work.batch_s / count / step.seconds();
  return step;
}

}  // namespace raven::plan
