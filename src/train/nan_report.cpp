#include "raven/train/nan_report.h"

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/nn/batch_norm.h"
#include "raven/weights/safetensors.h"

namespace raven::train {
namespace {

bool finite(const torch::Tensor& tensor) {
  return !tensor.defined() || !tensor.is_floating_point() ||
         torch::isfinite(tensor).all().item<bool>();
}

/// Lines "<kind> <name>: 3 of 512 values are NaN or Inf" of the bad ones among named tensors.
void look_at(const std::string& kind, const NamedTensors& tensors,
             std::vector<std::string>& lines) {
  for (const auto& [name, tensor] : tensors) {
    if (finite(tensor)) continue;
    const auto bad = torch::isfinite(tensor).logical_not().sum().item<std::int64_t>();
    lines.push_back(
        fmt::format("{} {}: {} of {} values are NaN or Inf", kind, name, bad, tensor.numel()));
  }
}

void keep(const Task& task, const Batch& batch, const std::filesystem::path& file) {
  weights::write_safetensors(
      file, {.tensors = task.tensors_of(batch), .metadata = task.origin_of(batch)});
}

/// One id a line, two blanks before each.
std::string indented(const std::vector<std::string>& ids) {
  auto text = fmt::format("{}", fmt::join(ids, "\n"));
  for (auto at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1))
    text.insert(at + 1, "  ");
  return text;
}

void look_at_gradients(Task& task, std::vector<std::string>& lines) {
  for (const auto& set : task.parameter_sets()) {
    NamedTensors gradients;
    for (const auto& [name, parameter] : set.parameters())
      gradients.emplace_back(name, parameter.grad());
    look_at("gradient", gradients, lines);
  }
}

void forget_gradients(Task& task) {
  for (const auto& set : task.parameter_sets()) {
    for (auto [name, parameter] : set.parameters()) parameter.mutable_grad() = torch::Tensor();
  }
}

}  // namespace

std::string report_nan(Task& task, const FiniteWatch::Step& step, const torch::Device& device,
                       const std::filesystem::path& folder) {
  make_folders(folder);
  std::vector<std::string> lines, ids;
  for (std::size_t i = 0; i < step.batches.size(); ++i) {
    const auto& batch = step.batches[i];
    keep(task, batch, folder / fmt::format("batch_{}.safetensors", i));
    look_at(fmt::format("input of batch {}:", i), task.tensors_of(batch), lines);
    const auto origin = task.origin_of(batch);
    if (const auto named = origin.find("ids"); named != origin.end()) ids.push_back(named->second);
  }
  NamedTensors weights;
  for (const auto& item : task.module().named_parameters())
    weights.emplace_back(item.key(), item.value());
  look_at("parameter", weights, lines);

  forget_gradients(task);
  nn::share_statistics(task.module(), nullptr);  // other ranks do not take part
  StepInputs inputs(device, step.numbers);
  for (std::size_t i = 0; i < step.batches.size(); ++i) {
    const auto of_batch = inputs.begin_batch(i);
    const auto part = task.add_gradients(step.batches[i], device, inputs, /*measure=*/false);
    look_at("loss", part.losses, lines);
  }
  look_at_gradients(task, lines);

  const auto first =
      lines.empty()
          ? std::string(
                "nothing when the step was run again; of several processes another one's report "
                "may name it (BatchNorm took this one's batches alone here)")
          : lines.front();
  std::string report = fmt::format("step {}: NaN or Inf, first found in: {}\n\nutterances:\n  {}\n",
                                   step.number, first, indented(ids));
  report +=
      fmt::format("\nall that was found (the step run again):\n  {}\n", fmt::join(lines, "\n  "));
  write_file_atomically(folder / "report.txt", report);
  return fmt::format(
      "step {}: NaN or Inf in {}; the update was not applied; batch and report are in {}",
      step.number, first, folder.string());
}

}  // namespace raven::train
