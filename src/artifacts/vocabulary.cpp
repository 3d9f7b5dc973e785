#include "raven/artifacts/vocabulary.h"

#include "raven/artifacts/run_files.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/sha256.h"
#include "raven/weights/model_card.h"

namespace raven::artifacts {

namespace fs = std::filesystem;

std::string units_checksum(const text::Units& units) {
  return checksum_text(checksum(units.text()));
}

std::optional<text::Units> units_of(const fs::path& checkpoint, const TrainState& state) {
  const auto file = checkpoint.parent_path().parent_path() / kUnitsFile;
  if (!fs::exists(file)) return std::nullopt;
  auto units = text::Units::read(file);
  const auto& known = state.run_files;
  const auto listed = known.find(kUnitsFile);
  if (listed == known.end()) {
    log::info("{}: is older than checksums of vocabularies, so damage to {} would not be seen",
              checkpoint.string(), file.string());
  } else if (listed->second != units_checksum(units)) {
    throw CheckpointError(fmt::format(
        "{}: damaged or exchanged, its checksum is {} where {} says {}; put the vocabulary back "
        "that the run was started with",
        file.string(), units_checksum(units), checkpoint.string(), listed->second));
  }
  return units;
}

std::optional<text::Units> units_beside(const fs::path& model) {
  const auto file = text::Units::beside(model);
  if (!file) return std::nullopt;
  auto units = text::Units::read(*file);
  const auto listed = weights::settings_beside(model).units_hash;
  if (!listed.empty() && listed != sha256(units.text())) {
    throw CheckpointError(fmt::format(
        "{}: damaged or of another model: its SHA-256 is not the one in {}{}; export the model "
        "again, or name its units with --units",
        file->string(), model.stem().string(), weights::kSettingsBeside));
  }
  return units;
}

weights::Metadata recognizer_metadata(const TrainState& state, const text::Units& units,
                                      const fs::path& where) {
  const auto& config = state.config;
  auto settings = weights::ModelSettings::from_metadata(
      config, weights::modality_named(config.at("model.modality"), where), where);
  settings.units = units.text();
  settings.vocabulary = units.size();
  auto metadata = settings.to_metadata(weights::ModelKind::kRecognizer);
  metadata.insert(state.card.begin(), state.card.end());
  if (state.length > 0) metadata[weights::kSteps] = fmt::format("{}", state.length);
  return metadata;
}

weights::Metadata language_model_metadata(const config::FlatConfig& config,
                                          const text::Units& units, const fs::path& where) {
  return weights::language_model_metadata(weights::language_model_of(config, where), units.size(),
                                          units.text());
}

}  // namespace raven::artifacts
