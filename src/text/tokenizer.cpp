#include "raven/text/tokenizer.h"

#include <spdlog/fmt/fmt.h>

#include "raven/core/error.h"
#include "raven/core/files.h"

namespace raven::text {
namespace {

constexpr std::uint64_t kMaxModelBytes = 256 << 20;

class UnitsOnly : public Tokenizer {
 public:
  UnitsOnly(Units units, std::string name) : Tokenizer(std::move(units)), name_(std::move(name)) {}

  [[nodiscard]] std::vector<std::int64_t> encode(std::string_view /*normalised*/) const override {
    throw ConfigError(fmt::format(
        "{} alone cannot turn text into units; name a SentencePiece model, counts of the units "
        "(.json) or a published label list (.csv) beside it",
        name_));
  }

 private:
  std::string name_;
};

std::string read_model(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file))
    throw ConfigError(
        fmt::format("text.model: there is no tokenizer model {}; raven tokenizer train LIST --out "
                    "{} makes one from transcripts",
                    file.string(), std::filesystem::path(file).replace_extension("").string()));
  return read_file(file, kMaxModelBytes, FileKind::kAny);
}

void check_equal(const Units& listed, const Units& in_model, const TokenizerOptions& options) {
  if (listed == in_model) return;
  const auto files = fmt::format("{} and {} do not belong together", options.units_file.string(),
                                 options.model_file.string());
  if (listed.size() != in_model.size()) {
    throw ConfigError(
        fmt::format("{}: {} units against {}", files, listed.size(), in_model.size()));
  }
  for (std::int64_t id = 0; id < listed.size(); ++id) {
    if (listed.piece(id) != in_model.piece(id)) {
      throw ConfigError(fmt::format("{}: unit {} is '{}' against '{}'", files, id, listed.piece(id),
                                    in_model.piece(id)));
    }
  }
}

}  // namespace

std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerOptions& options) {
  const auto& [units_file, model_file] = options;
  if (model_file.empty()) {
    if (units_file.empty())
      throw ConfigError("neither a units file nor a tokenizer model is named");
    return std::make_unique<UnitsOnly>(Units::read(units_file), units_file.string());
  }
  const auto content = read_model(model_file);
  const bool is_json = model_file.extension() == ".json",
             is_list = model_file.extension() == ".csv";
  if (is_json || is_list) {
    if (units_file.empty()) {
      throw ConfigError(fmt::format("{} counts the units of a units file: name that as well",
                                    model_file.string()));
    }
    auto units = Units::read(units_file);
    auto counts = is_json ? parse_unit_counts(content, units, model_file.string())
                          : count_labels(content, units, model_file.string());
    return make_unigram_tokenizer(std::move(units), std::move(counts));
  }
  auto tokenizer = make_sentencepiece_tokenizer(content, model_file.string());
  if (!units_file.empty()) check_equal(Units::read(units_file), tokenizer->units(), options);
  return tokenizer;
}

}  // namespace raven::text
