#include "raven/evaluation/language_model_file.h"

#include <fstream>

#include "evaluation/model_sizes.h"
#include "raven/artifacts/checkpoint.h"
#include "raven/artifacts/model_export.h"
#include "raven/artifacts/vocabulary.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/nn/state_dict.h"
#include "raven/weights/model_settings.h"

namespace raven::evaluation {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHeadBytes = 4096;
constexpr std::uint64_t kMaxNgramBytes = 1ULL << 36;

/// By its name, or by how an ARPA file or a binary of KenLM begins.
bool is_ngram_file(const fs::path& path) {
  if (!fs::is_regular_file(path)) return false;
  if (path.extension() == ".arpa" || path.string().ends_with(".arpa.gz")) return true;
  std::ifstream stream(path, std::ios::binary);
  std::string head(kHeadBytes, '\0');
  stream.read(head.data(), std::ssize(head));
  head.resize(static_cast<std::size_t>(stream.gcount()));
  return head.starts_with("mmap lm") || head.starts_with("\\data\\") ||
         head.find("\n\\data\\") != std::string::npos;
}

LoadedLanguageModel load_ngram(const fs::path& path) {
  LoadedLanguageModel loaded;
  const auto content = read_file(path, kMaxNgramBytes);
  loaded.ngram = std::make_shared<const text::NgramModel>(
      text::NgramModel::parse_arpa(content, path.string()));
  loaded.file = path;
  loaded.checksum = checksum_text(checksum(content));
  log::info("{}: {}-gram model of {} words", path.string(), loaded.ngram->order(),
            loaded.ngram->num_words());
  return loaded;
}

artifacts::ExportedModel read_language_model(const fs::path& path) {
  auto models = artifacts::read_models(path);
  for (auto& model : models) {
    if (model.name == "language_model") return std::move(model);
  }
  throw CheckpointError(fmt::format("{}: holds a model named '{}', expected a language model",
                                    path.string(), models.front().name));
}

}  // namespace

decode::SearchLanguageModel LoadedLanguageModel::for_search(const text::Units& units) const {
  if (ngram) return std::make_shared<const decode::NgramOfUnits>(ngram, units);
  return model;
}

LoadedLanguageModel load_language_model(const fs::path& path) {
  if (is_ngram_file(path)) return load_ngram(path);
  auto found = read_language_model(path);
  const auto settings = weights::language_model_of(found.file.metadata, found.source);
  const auto num_units = check_language_model_sizes(found.source, found.file, settings);
  LoadedLanguageModel loaded;
  loaded.model = models::LanguageModel(settings, num_units);
  artifacts::load_strictly(found.file, nn::state_dict(*loaded.model), found.source.string());
  loaded.model->eval();
  loaded.units = found.file.said("units");
  if (const auto beside = artifacts::units_beside(found.source);
      loaded.units.empty() && beside && beside->size() == num_units)
    loaded.units = beside->text();
  loaded.file = found.source;
  loaded.checksum = checksum_text(found.file.mapping->checksum());
  return loaded;
}

namespace {

void check_ngram_units(const LoadedLanguageModel& model, const text::Units& units,
                       const std::string& recognizer) {
  const decode::NgramOfUnits ngram(model.ngram, units);
  if (ngram.of_words()) return;
  std::int64_t known = 0;
  for (std::int64_t unit = text::Units::kUnknown; unit < units.size(); ++unit)
    known += model.ngram->find(units.piece(unit)) ? 1 : 0;
  if (2 * known >= units.size()) return;
  throw ConfigError(fmt::format(
      "{} is an n-gram model of units, but knows {} of the {} units of {}; a language model and a "
      "recognizer that are searched together are trained with the same units",
      model.file.string(), known, units.size(), recognizer));
}

}  // namespace

void check_same_units(const LoadedLanguageModel& model, const text::Units& units,
                      const std::string& recognizer) {
  if (model.ngram) {
    check_ngram_units(model, units, recognizer);
    return;
  }
  if (model.model->num_units() != units.size()) {
    throw ConfigError(
        fmt::format("{} knows {} units, {} {}; a language model and a recognizer that are searched "
                    "together are trained with the same units",
                    model.file.string(), model.model->num_units(), recognizer, units.size()));
  }
  if (model.units.empty()) return;
  const auto known = text::Units::parse(model.units, model.file.string() + ", units");
  if (known.text() != units.text()) {
    throw ConfigError(fmt::format(
        "the units of {} (its own, or those of the units file beside it) are others than those of "
        "{}, though as many; a language model and a recognizer that are searched together are "
        "trained with the same units",
        model.file.string(), recognizer));
  }
}

}  // namespace raven::evaluation
