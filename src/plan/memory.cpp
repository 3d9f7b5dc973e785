#include "raven/plan/memory.h"

#include <algorithm>

namespace raven::plan {
namespace {

constexpr double kFloat = 4;  // bytes
constexpr double kMiB = 1024.0 * 1024.0;

/// The largest sum of gradients and activations so far.
struct Peak {
  double gradients = 0, activations = 0;
  std::string phase = "update";

  void consider(double now_gradients, double now_activations, const std::string& name) {
    if (now_gradients + now_activations <= gradients + activations) return;
    gradients = now_gradients;
    activations = now_activations;
    phase = name;
  }
};

double most_alone(const Layers& layers) {
  double most = 0;
  for (const auto& layer : layers) most = std::max(most, layer.alone);
  return most;
}

/// Forward and backward; gives the bytes of gradients at its end. See Note [Where the peak is].
double go_through(const Pass& pass, double standing, double gradients, bool accumulates,
                  Peak& peak) {
  double kept = standing;
  for (const auto& layer : pass.layers) {
    kept += layer.kept;
    peak.consider(gradients, kept + pass.forward_only + layer.forward_work,
                  pass.name + ", forward");
  }
  for (auto layer = pass.layers.rbegin(); layer != pass.layers.rend(); ++layer) {
    const double own = kFloat * static_cast<double>(layer->parameters);
    peak.consider(gradients, kept + layer->backward_work + (accumulates ? own : 0),
                  pass.name + ", backward");
    if (!accumulates) gradients += own;
    kept -= layer->kept;
    peak.consider(gradients, kept, pass.name + ", backward");
  }
  return gradients;
}

Peak peak_of(const Networks& networks, std::int64_t accumulate) {
  const double all = kFloat * static_cast<double>(networks.trained_parameters());
  const bool accumulates = accumulate > 1;  // then earlier batches' gradients are there all along
  Peak peak;
  double gradients = accumulates ? all : 0;
  // Before training the optimiser's averages are not there yet.
  const double absent = networks.bare_once ? 2 * all : 0;
  peak.consider(gradients, networks.standing + most_alone(networks.bare) - absent,
                networks.bare_name);
  for (const auto& pass : networks.passes) {
    gradients = go_through(pass, networks.standing, gradients, accumulates, peak);
  }
  peak.consider(all, 0, "update");
  return peak;
}

}  // namespace

const Measured& measured() {
  static const Measured constants{.program = 190 * kMiB,
                                  .heap_share = 0.33,
                                  .loader_thread = 8 * kMiB,
                                  .cuda_context = 512 * kMiB};
  return constants;
}

Memory memory_of(const Networks& networks, const Networks* held_out, const Arithmetic& arithmetic,
                 const Surroundings& surroundings) {
  Memory memory;
  for (const auto& module : networks.modules) {
    auto& bytes = module.is_teacher ? memory.teachers : memory.weights;
    bytes += kFloat * static_cast<double>(module.parameters) + module.buffers;
  }
  memory.optimizer = 2 * kFloat * static_cast<double>(networks.trained_parameters());
  auto peak = peak_of(networks, surroundings.accumulate);
  if (held_out != nullptr) {
    // The last step's gradients are still there.
    peak.consider(kFloat * static_cast<double>(networks.trained_parameters()),
                  held_out->standing + most_alone(held_out->look), "look at held-out clips");
  }
  memory.gradients = peak.gradients;
  memory.activations = peak.activations;
  memory.peak = peak.phase;
  if (arithmetic.cuda) {
    memory.program = measured().cuda_context;
    return memory;
  }
  memory.loader =
      surroundings.batches + measured().loader_thread * static_cast<double>(surroundings.threads);
  memory.features = surroundings.cached_features;
  memory.heap = measured().heap_share * (memory.gradients + memory.activations);
  memory.program = measured().program;
  return memory;
}

}  // namespace raven::plan
