#include <sentencepiece_processor.h>
#include <spdlog/fmt/fmt.h>

#include "raven/core/error.h"
#include "raven/core/utf8.h"
#include "raven/text/tokenizer.h"

namespace raven::text {
namespace {

using sentencepiece::SentencePieceProcessor;

/// Unit id of each of the model's ids; kNoUnit for control symbols.
constexpr std::int64_t kNoUnit = -1;

struct ModelUnits {
  std::vector<std::string> pieces;
  std::vector<std::int64_t> ids;
};

ModelUnits units_of(const SentencePieceProcessor& model, const std::string& name) {
  ModelUnits result;
  for (int i = 0; i < model.GetPieceSize(); ++i) {
    if (model.IsByte(i)) {
      throw ConfigError(
          fmt::format("{}: has byte pieces, which are not text; train a vocabulary with "
                      "`raven tokenizer train`",
                      name));
    }
    if (model.IsUnknown(i)) {
      result.ids.push_back(Units::kUnknown);
    } else if (model.IsControl(i) || model.IsUnused(i)) {
      result.ids.push_back(kNoUnit);
    } else {
      result.ids.push_back(static_cast<std::int64_t>(result.pieces.size()) + Units::kUnknown + 1);
      result.pieces.push_back(Units::written(model.IdToPiece(i)));
    }
  }
  return result;
}

class SentencePieceTokenizer : public Tokenizer {
 public:
  SentencePieceTokenizer(std::unique_ptr<SentencePieceProcessor> model, Units units,
                         std::vector<std::int64_t> ids)
      : Tokenizer(std::move(units)), model_(std::move(model)), ids_(std::move(ids)) {}

 private:
  [[nodiscard]] std::vector<std::int64_t> encode_cased(std::string_view text) const override {
    std::vector<int> found;
    const auto status = model_->Encode(std::string(text), &found);
    RAVEN_CHECK(status.ok(), "SentencePiece cannot encode '{}': {}", printable(text.substr(0, 80)),
                status.ToString());
    std::vector<std::int64_t> ids;
    ids.reserve(found.size());
    for (const int id : found) {
      const auto unit = ids_[static_cast<std::size_t>(id)];
      const bool repeats = unit == Units::kUnknown && !ids.empty() && ids.back() == unit;
      if (unit != kNoUnit && !repeats) ids.push_back(unit);
    }
    return ids;
  }

  std::unique_ptr<SentencePieceProcessor> model_;
  std::vector<std::int64_t> ids_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_sentencepiece_tokenizer(const std::string& model,
                                                        const std::string& name) {
  auto processor = std::make_unique<SentencePieceProcessor>();
  const auto status = processor->LoadFromSerializedProto(model);
  if (!status.ok() || processor->GetPieceSize() == 0) {
    throw DataError(fmt::format("{}: is not a SentencePiece model ({})", name, status.ToString()),
                    "model");
  }
  auto [pieces, ids] = units_of(*processor, name);
  try {
    return std::make_unique<SentencePieceTokenizer>(std::move(processor), Units(pieces),
                                                    std::move(ids));
  } catch (const DataError& error) {
    throw DataError(fmt::format("{}: {}", name, error.what()), "model");
  }
}

}  // namespace raven::text
