#include "training_run.h"

#include "raven/core/error.h"
#include "raven/data/modality.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;

/// Throws ConfigError that says how to make the missing file.
void check_exists(const std::string& manifest, const std::string& key) {
  if (fs::exists(manifest)) return;
  throw ConfigError(fmt::format(
      "{}: there is no {}\nprepare the data first: raven prepare <folder of the corpus> --out {}",
      key, manifest,
      fs::path(manifest).has_parent_path() ? fs::path(manifest).parent_path().string() : "."));
}

}  // namespace

data::Manifest training_data(const config::DataConfig& config) {
  std::vector<fs::path> files;
  for (const auto& file : config.manifest) {
    check_exists(file, "data.manifest");
    files.emplace_back(file);
  }
  auto manifest = data::read_manifests(files);
  const auto limit = static_cast<std::size_t>(config.max_utterances.value_or(0));
  if (limit > 0 && manifest.utterances.size() > limit) manifest.utterances.resize(limit);
  return manifest;
}

data::Manifest held_out_data(const config::DataConfig& config) {
  if (config.valid_manifest.empty()) return {};
  check_exists(config.valid_manifest, "data.valid_manifest");
  return data::read_manifest(config.valid_manifest);
}

void require_input(const config::PretrainConfig& /*config*/, const data::Manifest& manifest) {
  data::require_modalities(manifest, {.video = true, .audio = true}, "raven pretrain");
}

void require_input(const config::FinetuneConfig& config, const data::Manifest& manifest) {
  const bool is_video = config.model.modality == config::Modality::kVideo;
  data::require_modalities(manifest, {.video = is_video, .audio = !is_video},
                           fmt::format("raven finetune with model.modality={}",
                                       config::enum_name(config.model.modality)));
}

std::int64_t num_parameters(const torch::nn::Module& module, bool trained) {
  std::int64_t parameters = 0;
  for (const auto& parameter : module.parameters()) {
    if (!trained || parameter.requires_grad()) parameters += parameter.numel();
  }
  return parameters;
}

std::int64_t steps_of_epochs(double epochs, const config::TrainConfig& train,
                             const data::Loader& loader) {
  if (epochs <= 0) return 0;
  const double batches = epochs * static_cast<double>(loader.batches_per_epoch());
  return std::max<std::int64_t>(1, std::llround(batches / static_cast<double>(train.accumulate)));
}

}  // namespace raven::cli
