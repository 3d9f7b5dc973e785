#include "raven/artifacts/encoder_source.h"

#include "raven/artifacts/checkpoint.h"
#include "raven/artifacts/model_source.h"
#include "raven/core/error.h"
#include "raven/nn/state_dict.h"
#include "raven/weights/model_import.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;
using config::modality_name;

bool starts_with(const std::string& text, const std::string& prefix) {
  return text.rfind(prefix, 0) == 0;
}

/// The tensors whose names begin with `prefix`, without it.
weights::TensorFile without_prefix(const weights::TensorFile& file, const std::string& prefix) {
  weights::TensorFile part{.tensors = {}, .metadata = file.metadata};
  for (const auto& [name, tensor] : file.tensors) {
    if (starts_with(name, prefix)) part.tensors.emplace_back(name.substr(prefix.size()), tensor);
  }
  return part;
}

void check_modality(const weights::TensorFile& file, const std::string& modality,
                    const fs::path& path) {
  const auto said = file.metadata.find("modality");
  if (said == file.metadata.end() || said->second == modality) return;
  throw CheckpointError(fmt::format("{}: holds an encoder of {}, expected one of {}", path.string(),
                                    said->second, modality));
}

}  // namespace

weights::TensorFile read_encoder(const fs::path& given, models::Modality modality) {
  const auto name = modality_name(modality);
  auto source = open_source(given, wanted_encoder(modality));
  const auto& path = source.path;
  const auto file =
      source.is_archive()
          ? weights::import_model(path, std::move(source.weights), {.modality = name}).file
          : std::move(source.weights.content);
  check_modality(file, name, path);
  for (const auto& prefix : {"student_" + name + ".", std::string("encoder.")}) {
    auto part = without_prefix(file, prefix);
    if (!part.tensors.empty()) return part;
  }
  const auto other = modality == models::Modality::kVideo ? "student_audio." : "student_video.";
  if (!without_prefix(file, other).tensors.empty()) {
    throw CheckpointError(fmt::format(
        "{}: has no {} student; its losses trained the other one alone", path.string(), name));
  }
  return file;
}

void start_encoder(models::Encoder& encoder, const fs::path& path, models::Modality modality) {
  auto file = read_encoder(path, modality);
  weights::TensorFile kept{.tensors = {}, .metadata = file.metadata};
  for (auto& [name, tensor] : file.tensors) {
    if (starts_with(name, "after_norm.") || name == "embed.mask_emb") continue;
    const std::string linear = "embed.linear.";  // the projection's name beside a mask token
    kept.tensors.emplace_back(
        starts_with(name, linear) ? "embed.0." + name.substr(linear.size()) : name, tensor);
  }
  nn::StateDict wanted;
  for (const auto& item : nn::state_dict(*encoder)) {
    if (!starts_with(item.first, "after_norm.")) wanted.push_back(item);
  }
  try {
    load_strictly(kept, wanted, path.string());
  } catch (const CheckpointError& error) {
    throw CheckpointError(
        fmt::format("{}\nmodel.encoder.* and model.{}_frontend.* must be those that it was trained "
                    "with: take the recipe of its size",
                    error.what(), modality_name(modality)));
  }
}

}  // namespace raven::artifacts
