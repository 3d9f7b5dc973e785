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

double most_without_gradients(const Layers& layers) {
  double most = 0;
  for (const auto& layer : layers) most = std::max(most, layer.inference);
  return most;
}

/// Forward and backward; gives the bytes of gradients at its end. See Note [Where the peak is].
double go_through(const Pass& pass, double persistent, double gradients, const RunNeeds& run,
                  Peak& peak) {
  const bool accumulates = run.accumulate > 1;
  double saved = persistent;
  for (const auto& layer : pass.layers) {
    saved += layer.saved;
    peak.consider(gradients, saved + pass.forward_only + layer.forward_work,
                  pass.name + ", forward");
  }
  for (auto layer = pass.layers.rbegin(); layer != pass.layers.rend(); ++layer) {
    const double own = run.gradient_bytes * static_cast<double>(layer->parameters);
    peak.consider(gradients, saved + layer->backward_work + (accumulates ? own : 0),
                  pass.name + ", backward");
    if (!accumulates) gradients += own;
    saved -= layer->saved;
    peak.consider(gradients, saved, pass.name + ", backward");
  }
  return gradients;
}

double optimizer_bytes(const Networks& networks, const RunNeeds& run) {
  return 2 * kFloat * static_cast<double>(networks.trained_parameters()) /
         static_cast<double>(run.optimizer_parts);
}

Peak peak_of(const Networks& networks, const RunNeeds& run) {
  const double all = run.gradient_bytes * static_cast<double>(networks.trained_parameters());
  Peak peak;
  double gradients = run.accumulate > 1 ? all : 0;  // earlier batches'
  // Before training the optimiser's averages are not there yet.
  const double absent = networks.no_grad_before_training ? optimizer_bytes(networks, run) : 0;
  peak.consider(gradients, networks.persistent + most_without_gradients(networks.no_grad) - absent,
                networks.no_grad_name);
  for (const auto& pass : networks.passes) {
    gradients = go_through(pass, networks.persistent, gradients, run, peak);
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
                 const RunNeeds& run) {
  Memory memory;
  for (const auto& module : networks.modules) {
    auto& bytes = module.is_teacher ? memory.teachers : memory.weights;
    bytes += kFloat * static_cast<double>(module.parameters) + module.buffers;
  }
  memory.optimizer = optimizer_bytes(networks, run);
  auto peak = peak_of(networks, run);
  if (held_out != nullptr) {
    // The last step's gradients are still there.
    peak.consider(kFloat * static_cast<double>(networks.trained_parameters()),
                  held_out->persistent + most_without_gradients(held_out->evaluation),
                  "evaluation on held-out clips");
  }
  memory.gradients = peak.gradients;
  memory.activations = peak.activations;
  memory.peak = peak.phase;
  if (arithmetic.cuda) {
    memory.program = measured().cuda_context;
    return memory;
  }
  memory.loader = run.batches + measured().loader_thread * static_cast<double>(run.threads);
  memory.features = run.cached_features;
  memory.snapshot = run.snapshot;
  memory.heap = measured().heap_share * (memory.gradients + memory.activations);
  memory.program = measured().program;
  return memory;
}

}  // namespace raven::plan
