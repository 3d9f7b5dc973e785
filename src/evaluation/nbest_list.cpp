#include "raven/evaluation/nbest_list.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "core/parse_json.h"
#include "evaluation/nbest_json.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/lines.h"
#include "raven/core/utf8.h"
#include "raven/decode/decode.h"

namespace raven::evaluation {
namespace {

using Json = nlohmann::ordered_json;

/// NaN and infinity have no place in JSON.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

std::optional<double> number_in(const Json& json) {
  if (json.is_null()) return std::numeric_limits<double>::quiet_NaN();
  return json.is_number() ? std::optional(json.get<double>()) : std::nullopt;
}

bool has(const Json& json, const char* key, Json::value_t type) {
  const auto found = json.find(key);
  return found != json.end() && found->type() == type;
}

std::optional<Alternative> alternative_of(const Json& json) {
  using Type = Json::value_t;
  if (!json.is_object() || !has(json, "text", Type::string) || !has(json, "parts", Type::object) ||
      !json.contains("units") || !has(json, "confidence", Type::array) || !json.contains("score"))
    return {};
  Alternative result{.text = json["text"].get<std::string>()};
  const auto score = number_in(json["score"]);
  if (!score) return {};
  result.score = *score;
  for (const auto& [name, value] : json["parts"].items()) {
    const auto part = number_in(value);
    if (!part) return {};
    result.parts[name] = *part;
  }
  auto units = units_of(json["units"]);
  if (!units) return {};
  result.units = std::move(*units);
  for (const auto& value : json["confidence"]) {
    const auto confidence = number_in(value);
    if (!confidence) return {};
    result.confidence.push_back(*confidence);
  }
  if (result.confidence.size() != result.units.size()) return {};
  return result;
}

}  // namespace

Alternative alternative(const decode::Hypothesis& hypothesis, const text::Units& units) {
  return {.text = units.detokenise(hypothesis.units),
          .score = hypothesis.score,
          .parts = hypothesis.parts,
          .units = hypothesis.units,
          .confidence = decode::confidence(hypothesis)};
}

Json to_json(const std::vector<Alternative>& alternatives) {
  auto list = Json::array();
  for (const auto& one : alternatives) {
    Json json = {{"text", as_utf8(one.text)}, {"score", number(one.score)}};
    json["parts"] = Json::object();
    for (const auto& [name, value] : one.parts) json["parts"][name] = number(value);
    json["units"] = one.units;
    json["confidence"] = Json::array();
    for (const auto value : one.confidence) json["confidence"].push_back(number(value));
    list.push_back(std::move(json));
  }
  return list;
}

std::optional<std::vector<Alternative>> alternatives_of(const Json& json) {
  if (!json.is_array()) return {};
  std::vector<Alternative> alternatives;
  for (const auto& one : json) {
    auto alternative = alternative_of(one);
    if (!alternative) return {};
    alternatives.push_back(std::move(*alternative));
  }
  return alternatives;
}

std::optional<std::vector<std::int64_t>> units_of(const Json& json) {
  if (!json.is_array()) return {};
  std::vector<std::int64_t> units;
  for (const auto& unit : json) {
    if (!unit.is_number_integer()) return {};
    units.push_back(unit.get<std::int64_t>());
  }
  return units;
}

void write_nbest(const std::filesystem::path& file, const std::vector<NbestList>& lists) {
  std::string lines;
  for (const auto& list : lists) {
    Json json = {{"id", list.id}, {"nbest", to_json(list.alternatives)}};
    if (list.ctc) json["ctc"] = *list.ctc;
    lines += json.dump() + "\n";
  }
  write_file_atomically(file, lines);
}

std::vector<NbestList> read_nbest(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file))
    throw ConfigError(fmt::format("there is no file {}", file.string()));
  std::vector<NbestList> lists;
  std::set<std::string> ids;
  const auto content = read_file(file, kMaxFileBytesByDefault, FileKind::kAny);
  Lines lines(content);
  while (const auto line = lines.next()) {
    if (line->empty()) continue;
    const auto place = fmt::format("{}:{}", file.string(), lines.number());
    const auto json = parse_json<Json>(*line);
    std::optional<std::vector<Alternative>> alternatives;
    std::optional<std::vector<std::int64_t>> ctc;
    if (json.is_object() && has(json, "id", Json::value_t::string) && json.contains("nbest"))
      alternatives = alternatives_of(json["nbest"]);
    if (json.is_object() && json.contains("ctc")) ctc = units_of(json["ctc"]);
    if (!alternatives || ctc.has_value() != json.contains("ctc")) {
      throw DataError(
          fmt::format("{}: is no list of hypotheses as `raven evaluate` writes with decode.nbest: "
                      "expected an object with id and nbest",
                      place),
          "nbest");
    }
    NbestList list{.id = json["id"].get<std::string>(),
                   .alternatives = std::move(*alternatives),
                   .ctc = std::move(ctc)};
    if (!ids.insert(list.id).second) {
      throw DataError(fmt::format("{}: the id '{}' comes twice", place, printable(list.id)),
                      "nbest");
    }
    lists.push_back(std::move(list));
  }
  return lists;
}

}  // namespace raven::evaluation
