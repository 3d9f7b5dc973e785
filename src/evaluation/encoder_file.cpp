#include "raven/evaluation/encoder_file.h"

#include <algorithm>

#include "evaluation/model_settings.h"
#include "raven/core/error.h"
#include "raven/nn/state_dict.h"
#include "raven/train/checkpoint.h"
#include "raven/train/encoder_source.h"
#include "raven/train/model_export.h"
#include "raven/weights/weights_file.h"

namespace raven::evaluation {
namespace {

namespace fs = std::filesystem;
using config::EncoderChoice;

constexpr const char* kFinalNorm = "after_norm.";

/// The encoders among the models of `path`.
std::vector<train::ExportedModel> encoders_in(const fs::path& path, const std::string& modality) {
  std::vector<train::ExportedModel> encoders;
  for (auto& model : train::read_models(path, modality)) {
    if (model.name == "language_model") {
      throw CheckpointError(fmt::format(
          "{}: is a language model, expected an encoder or a recognizer", path.string()));
    }
    encoders.push_back(model.name == "recognizer" ? train::encoder_of(model) : std::move(model));
  }
  return encoders;
}

train::ExportedModel choose(std::vector<train::ExportedModel> encoders, const std::string& modality,
                            const fs::path& path) {
  if (modality.empty() && encoders.size() > 1) {
    throw ConfigError(fmt::format("{}: holds encoders of {} and {}; choose one with --modality",
                                  path.string(), encoders.front().name, encoders.back().name));
  }
  for (auto& encoder : encoders) {
    if (modality.empty() || encoder.name == modality) return std::move(encoder);
  }
  throw ConfigError(fmt::format("{}: holds an encoder of {}, modality asks for {}", path.string(),
                                encoders.front().name, modality));
}

bool is_of_final_norm(const std::pair<std::string, torch::Tensor>& one) {
  return one.first.rfind(kFinalNorm, 0) == 0;
}

/// The network is made before tensors are compared: what would make it large must be in the file.
void check_sizes(const weights::TensorFile& file, const config::FinetuneConfig& config,
                 const fs::path& path) {
  const auto expect = [&](const std::string& name, std::size_t dimension, std::int64_t size) {
    const auto found = std::ranges::find(file.tensors, name, [](const auto& t) { return t.first; });
    const bool fits = found != file.tensors.end() &&
                      found->second.dim() > static_cast<std::int64_t>(dimension) &&
                      found->second.size(static_cast<std::int64_t>(dimension)) == size;
    if (fits) return;
    throw CheckpointError(
        fmt::format("{}: by its own settings '{}' has {} in dimension {}, but it {}", path.string(),
                    name, size, dimension,
                    found == file.tensors.end()
                        ? "is missing"
                        : fmt::format("is [{}]", fmt::join(found->second.sizes(), ", "))));
  };
  const auto& options = config.model.encoder;
  for (std::int64_t i = 0; i < options.blocks; ++i) {
    const auto block = fmt::format("encoders.{}.", i);
    expect(block + "self_attn.linear_q.weight", 0, options.dim);
    expect(block + "feed_forward.w_1.weight", 0, options.ffn_dim);
    expect(block + "feed_forward.w_1.weight", 1, options.dim);
  }
  const auto& widths = config.frontend().widths;
  for (std::size_t stage = 0; stage < widths.size(); ++stage) {
    expect(fmt::format("frontend.trunk.layer{}.0.conv1.weight", stage + 1), 0, widths[stage]);
  }
}

}  // namespace

LoadedEncoder load_encoder(const fs::path& path, EncoderChoice choice) {
  const std::string modality(choice == EncoderChoice::kOnlyOne ? "" : config::enum_name(choice));
  const auto model = choose(encoders_in(path, modality), modality, path);
  const auto file = train::published_names(model);
  LoadedEncoder loaded;
  loaded.file = model.source;
  loaded.config = model_config(model.source, model.file.metadata, model.name);
  check_sizes(file, loaded.config, loaded.file);
  loaded.modality = model.name == "video" ? models::Modality::kVideo : models::Modality::kAudio;
  loaded.encoder =
      models::Encoder(loaded.modality, loaded.config.model.encoder, loaded.config.frontend());
  loaded.has_final_norm = std::ranges::any_of(file.tensors, is_of_final_norm);
  auto wanted = nn::state_dict(*loaded.encoder);
  if (!loaded.has_final_norm) std::erase_if(wanted, is_of_final_norm);
  train::load_strictly(file, wanted, model.source.string());
  loaded.encoder->eval();
  loaded.sha256 = weights::sha256_and_verify(model.source);
  return loaded;
}

}  // namespace raven::evaluation
