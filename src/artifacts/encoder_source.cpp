#include "raven/artifacts/encoder_source.h"

#include "raven/artifacts/model_source.h"
#include "raven/core/error.h"
#include "raven/weights/model_import.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;
using config::modality_name;

/// Tensors whose names begin with `prefix`, without it; the others are counted.
EncoderSource below(const weights::TensorFile& file, const std::string& prefix) {
  EncoderSource source;
  source.encoder.metadata = file.metadata;
  source.encoder.mapping = file.mapping;
  for (const auto& [name, tensor] : file.tensors) {
    if (name.starts_with(prefix))
      source.encoder.tensors.emplace_back(name.substr(prefix.size()), tensor);
    else
      ++source.others[name.substr(0, name.find('.'))];
  }
  return source;
}

EncoderSource encoder_in(const weights::TensorFile& file, models::Modality modality,
                         const fs::path& path) {
  const auto name = modality_name(modality);
  for (const auto& prefix : {"student_" + name + ".", std::string("encoder.")}) {
    if (auto part = below(file, prefix); !part.encoder.tensors.empty()) return part;
  }
  const auto other = modality == models::Modality::kVideo ? "student_audio." : "student_video.";
  if (!below(file, other).encoder.tensors.empty()) {
    throw CheckpointError(fmt::format(
        "{}: has no {} student; its losses trained the other one alone", path.string(), name));
  }
  return below(file, "");
}

}  // namespace

void check_modality(const weights::TensorFile& file, models::Modality modality,
                    const fs::path& path) {
  const auto said = file.said("modality"), name = modality_name(modality);
  if (said.empty() || said == name) return;
  throw CheckpointError(
      fmt::format("{}: holds an encoder of {}, expected one of {}", path.string(), said, name));
}

EncoderSource open_encoder(const fs::path& given, models::Modality modality) {
  auto opened = open_source(given, wanted_encoder(modality));
  const auto& path = opened.path;
  const auto step = opened.step();
  const auto file = opened.is_archive()
                        ? weights::import_model(path, std::move(opened.weights),
                                                {.modality = modality_name(modality)})
                              .file
                        : std::move(opened.weights.content);
  check_modality(file, modality, path);
  auto source = encoder_in(file, modality, path);
  source.path = path;
  source.step = step;
  return source;
}

weights::TensorFile read_encoder(const fs::path& path, models::Modality modality) {
  return open_encoder(path, modality).encoder;
}

}  // namespace raven::artifacts
