#include "report/evaluation_record.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "core/parse_json.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "report/json_fields.h"
#include "report/lines.h"
#include "report/links.h"

namespace raven::report {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxJsonBytes = 64ULL << 20, kMaxPictureBytes = 2ULL << 20;
constexpr std::size_t kMaxUtterances = 20'000, kMaxWorst = 20, kMaxTableRows = 500;
constexpr std::size_t kMaxLineBytes = 1 << 20;
constexpr std::size_t kMaxAttentionUnits = 400, kMaxAttentionFrames = 4000, kMaxPictures = 20;

/// Where the reader may find it: "evaluate/test/wer.json".
std::string place(const fs::path& file) {
  const auto set = file.parent_path();
  return (set.parent_path().filename() / set.filename() / file.filename()).string();
}

/// A bare number, a pair as a range, anything else as it is written.
std::string cell_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "";
  if (value.is_array() && value.size() == 2 && value[0].is_number() && value[1].is_number()) {
    return fmt::format("{:g} to {:g}", value[0].get<double>(), value[1].get<double>());
  }
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<TableRow> table_rows(const Json& list) {
  std::vector<TableRow> rows;
  for (const auto& item : list) {
    if (!item.is_object() || rows.size() == kMaxTableRows) continue;
    TableRow row;
    for (const auto& [key, value] : item.items()) {
      if (const auto number = number_of(value)) {
        row.numbers.emplace_back(key, *number);
      } else {
        row.texts.emplace_back(key, cell_text(value));
      }
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::optional<DecodedBy> decoded_by(const Json& json) {
  const auto model = json.find("model");
  if (model == json.end() || !model->is_object()) return std::nullopt;
  DecodedBy by{.weights = text_of(*model, "weights"),
               .step = number_of(*model, "step"),
               .steps = number_of(*model, "steps"),
               .averaged_checkpoints = number_of(*model, "averaged_checkpoints"),
               .best_by = text_of(*model, "best_by")};
  const auto finished = model->find("finished");
  by.unfinished = finished != model->end() && *finished == Json(false);
  if (const auto search = json.find("search"); search != json.end() && search->is_object())
    by.search = text_of(*search, "decode.kind");
  return by;
}

std::optional<ErrorRates> error_rates(const Json& json) {
  const auto wer = json.is_object() ? number_of(json, "wer") : std::nullopt;
  if (!wer) return std::nullopt;
  ErrorRates rates{.wer = *wer,
                   .cer = number_of(json, "cer"),
                   .words = number_of(json, "words"),
                   .utterances = number_of(json, "utterances"),
                   .substitutions = number_of(json, "substitutions"),
                   .deletions = number_of(json, "deletions"),
                   .insertions = number_of(json, "insertions"),
                   .sentence_errors = number_of(json, "sentence_errors")};
  if (const auto found = json.find("confidence");
      found != json.end() && found->is_array() && found->size() == 2) {
    const auto low = number_of((*found)[0]), high = number_of((*found)[1]);
    if (low && high) rates.confidence = {*low, *high};
  }
  rates.by = decoded_by(json);
  if (const auto found = json.find("warning"); found != json.end()) rates.warning = text_of(*found);
  if (const auto found = json.find("skipped"); found != json.end() && found->is_object()) {
    for (const auto& [reason, count] : found->items()) {
      if (const auto number = number_of(count)) rates.skipped[reason] = *number;
    }
  }
  for (const auto& [key, value] : json.items()) {
    if (key.rfind("by_", 0) != 0 || !value.is_array()) continue;
    if (auto rows = table_rows(value); !rows.empty())
      rates.tables.emplace_back(key, std::move(rows));
  }
  return rates;
}

std::vector<AlignedWord> aligned_words(const Json& ops) {
  std::vector<AlignedWord> words;
  if (!ops.is_array()) return words;
  for (const auto& op : ops) {
    if (!op.is_array() || op.size() != 3) continue;
    const auto kind = text_of(op[0]);
    if (kind != "=" && kind != "S" && kind != "D" && kind != "I") continue;
    words.push_back({.kind = kind[0], .reference = text_of(op[1]), .hypothesis = text_of(op[2])});
  }
  return words;
}

/// The picture that `name` names, if it lies below the set's folder, whatever links it has.
std::string read_crops(const fs::path& folder, const std::string& name,
                       std::vector<std::string>& problems) {
  if (name.empty()) return {};
  const auto refuse = [&](const std::string& why) {
    problems.push_back(
        fmt::format("{}: '{}' is not shown: {}", place(folder / "worst.json"), name, why));
    return std::string();
  };
  const auto file = folder / name;
  if (!lies_below(folder, file)) return refuse("it lies outside the set's folder");
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return refuse("there is no such file");
  try {
    auto bytes = read_file(file, kMaxPictureBytes);
    if (bytes.rfind("\x89PNG\r\n\x1a\n", 0) != 0) return refuse("it is no PNG");
    return bytes;
  } catch (const Error& problem) {
    return refuse(problem.what());
  }
}

/// Infinite for null, with which JSON has to do where the reference is empty.
std::optional<double> worst_rate(const Json& item) {
  const auto found = item.is_object() ? item.find("wer") : item.end();
  if (!item.is_object() || found == item.end()) return std::nullopt;
  return found->is_null() ? std::numeric_limits<double>::infinity() : number_of(*found);
}

std::vector<WorstUtterance> read_worst(const fs::path& folder, std::vector<std::string>& problems) {
  std::vector<WorstUtterance> worst;
  const auto file = folder / "worst.json";
  const auto json = read_json(file, /*required=*/false, problems);
  if (!json) return worst;
  if (!json->is_array()) {
    problems.push_back(place(file) + ": expected a list of utterances");
    return worst;
  }
  for (const auto& item : *json) {
    if (worst.size() == kMaxWorst) break;
    const auto wer = worst_rate(item);
    if (!wer) {
      problems.push_back(place(file) + ": an entry without wer is left out");
      continue;
    }
    const auto ops = item.find("ops");
    worst.push_back({.id = text_of(item, "id"),
                     .reference = text_of(item, "ref"),
                     .hypothesis = text_of(item, "hyp"),
                     .speaker = text_of(item, "speaker"),
                     .words = ops == item.end() ? std::vector<AlignedWord>() : aligned_words(*ops),
                     .wer = *wer,
                     .frames = number_of(item, "frames"),
                     .crops_png = read_crops(folder, text_of(item, "crops"), problems)});
  }
  std::stable_sort(worst.begin(), worst.end(),
                   [](const auto& a, const auto& b) { return a.wer > b.wer; });
  return worst;
}

void read_utterances(const fs::path& folder, EvaluationRecord& record,
                     std::vector<std::string>& problems) {
  const auto file = folder / "utterances.jsonl";
  if (!fs::exists(file)) return;
  std::int64_t damaged = 0;
  const auto see = [&](std::string_view line) {
    const auto json = parse_json<Json>(line);
    const auto words = json.is_object() ? number_of(json, "words") : std::nullopt;
    if (!words) {
      damaged += line.empty() ? 0 : 1;
      return true;
    }
    ++record.num_utterances;
    if (record.utterances.size() == kMaxUtterances) return true;
    const auto count = [&](const char* key) { return number_of(json, key).value_or(0); };
    record.utterances.push_back(
        {.id = text_of(json, "id"),
         .speaker = text_of(json, "speaker"),
         .reference = text_of(json, "ref"),
         .hypothesis = text_of(json, "hyp"),
         .words = *words,
         .errors = count("substitutions") + count("deletions") + count("insertions"),
         .deletions = count("deletions"),
         .insertions = count("insertions"),
         .frames = number_of(json, "frames"),
         .chars = number_of(json, "chars"),
         .char_errors = number_of(json, "char_errors"),
         .score = number_of(json, "score"),
         .snr_db = number_of(json, "snr_db")});
    return true;
  };
  try {
    refuse_link_out(file);
    damaged += for_each_line(file, kMaxLineBytes, see);
  } catch (const Error& error) {
    problems.push_back(error.what());
  }
  if (damaged > 0) {
    problems.push_back(fmt::format("{}: {} damaged lines are left out", place(file), damaged));
  }
}

std::optional<AttentionPicture> attention_picture(const Json& json) {
  const auto weights = json.is_object() ? json.find("attention") : json.end();
  const auto units = json.is_object() ? json.find("units") : json.end();
  if (!json.is_object() || units == json.end() || !units->is_array()) return std::nullopt;
  AttentionPicture picture{.id = text_of(json, "id"), .units = {}, .weights = {}, .ctc = {}};
  const auto unit_name = [](const Json& unit) {
    return unit.is_string() ? unit.get<std::string>() : cell_text(unit);
  };
  for (const auto& unit : *units) picture.units.push_back(unit_name(unit));
  if (weights != json.end() && weights->is_array()) {
    for (const auto& row : *weights) {
      std::vector<double> values;
      if (!row.is_array() || row.size() > kMaxAttentionFrames) return std::nullopt;
      for (const auto& value : row) values.push_back(number_of(value).value_or(0));
      if (!picture.weights.empty() && picture.weights[0].size() != values.size())
        return std::nullopt;
      picture.weights.push_back(std::move(values));
    }
  }
  if (picture.weights.size() > kMaxAttentionUnits) return std::nullopt;
  if (!picture.weights.empty() && picture.weights.size() != picture.units.size())
    return std::nullopt;
  if (const auto ctc = json.find("ctc"); ctc != json.end() && ctc->is_array()) {
    for (const auto& spike : *ctc) {
      if (!spike.is_array() || spike.size() != 2 || !spike[0].is_number_integer()) continue;
      const auto frame = spike[0].get<std::int64_t>();
      if (frame < 0 || frame >= static_cast<std::int64_t>(kMaxAttentionFrames)) continue;
      picture.ctc.emplace_back(frame, unit_name(spike[1]));
    }
  }
  const bool says_any = weights != json.end() || json.contains("ctc");
  return says_any ? std::optional(std::move(picture)) : std::nullopt;
}

/// One picture, or a list of them.
void read_attention(const fs::path& folder, EvaluationRecord& record,
                    std::vector<std::string>& problems) {
  const auto file = folder / "attention.json";
  const auto json = read_json(file, /*required=*/false, problems);
  if (!json) return;
  const auto pictures = json->is_array() ? *json : Json::array({*json});
  std::size_t damaged = 0;
  for (const auto& one : pictures) {
    if (record.attention.size() == kMaxPictures) break;
    auto picture = attention_picture(one);
    damaged += picture ? 0 : 1;
    const bool is_drawn = picture && !(picture->weights.empty() && picture->ctc.empty());
    if (is_drawn) record.attention.push_back(std::move(*picture));
  }
  if (damaged > 0 || pictures.empty()) {
    problems.push_back(place(file) +
                       ": expected units, and attention as one row of numbers for each");
  }
}

}  // namespace

std::optional<Json> read_json(const fs::path& file, bool required,
                              std::vector<std::string>& problems) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) {
    if (required) problems.push_back(place(file) + " is missing");
    return std::nullopt;
  }
  try {
    refuse_link_out(file);
    auto json = parse_json<Json>(read_file(file, kMaxJsonBytes));
    if (!json.is_discarded()) return json;
    problems.push_back(place(file) + " is damaged: no JSON, or nested too deep");
  } catch (const Error& error) {
    problems.push_back(error.what());
  }
  return std::nullopt;
}

SetName parse_set_name(const std::string& name) {
  const auto at = name.rfind('@');
  const auto score = name.rfind('_');
  const bool ends_in_db = name.size() > 2 && name.compare(name.size() - 2, 2, "dB") == 0;
  if (at == std::string::npos || score == std::string::npos || score < at || !ends_in_db) {
    return {.set = name, .noise = "", .snr_db = {}};
  }
  double snr = 0;
  const char* begin = name.data() + score + 1;
  const char* end = name.data() + name.size() - 2;
  const auto parsed = std::from_chars(begin, end, snr);
  if (parsed.ec != std::errc() || parsed.ptr != end)
    return {.set = name, .noise = "", .snr_db = {}};
  return {.set = name.substr(0, at), .noise = name.substr(at + 1, score - at - 1), .snr_db = snr};
}

EvaluationRecord read_evaluation(const fs::path& folder, std::vector<std::string>& problems) {
  EvaluationRecord record{.name = folder.filename().string(),
                          .rates = {},
                          .worst = {},
                          .utterances = {},
                          .num_utterances = 0,
                          .attention = {}};
  const bool unscored = fs::exists(folder / "hyp.trn") && !fs::exists(folder / "ref.trn");
  if (fs::exists(folder / "decoded.jsonl") && !fs::exists(folder / "hyp.trn")) {
    problems.push_back(fmt::format("{}: is not finished; the same raven evaluate goes on with it",
                                   (folder.parent_path().filename() / folder.filename()).string()));
    return record;
  }
  if (const auto json = read_json(folder / "wer.json", /*required=*/!unscored, problems)) {
    record.rates = error_rates(*json);
    if (!record.rates) problems.push_back(place(folder / "wer.json") + ": holds no number 'wer'");
  }
  record.worst = read_worst(folder, problems);
  read_utterances(folder, record, problems);
  read_attention(folder, record, problems);
  return record;
}

}  // namespace raven::report
