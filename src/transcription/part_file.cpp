#include "transcription/part_file.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "core/parse_json.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/utf8.h"

namespace raven::transcription {
namespace {

using Json = nlohmann::ordered_json;

std::string first_line(const std::string& identity) {
  return Json{{"identity", identity}}.dump() + "\n";
}

Json json_of(config::Modality modality, const Cut& cut, const Passage& passage) {
  auto words = Json::array();
  for (const auto& word : passage.words) {
    words.push_back(Json::array({as_utf8(word.text), word.begin_s, word.end_s, word.confidence}));
  }
  return {{"modality", config::enum_name(modality)},
          {"begin", cut.begin},
          {"end", cut.end},
          {"times", Json::array({passage.begin_s, passage.end_s})},
          {"score", passage.score},
          {"words", std::move(words)}};
}

bool is_word(const Json& json) {
  return json.is_array() && json.size() == 4 && json[0].is_string() && json[1].is_number() &&
         json[2].is_number() && json[3].is_number();
}

/// Throws Json::exception for a line that is no passage.
std::tuple<config::Modality, Cut, Passage> passage_of(const Json& json) {
  const auto modality = json.at("modality").get<std::string>();
  const Cut cut{.begin = json.at("begin").get<std::int64_t>(),
                .end = json.at("end").get<std::int64_t>()};
  Passage passage{.begin_s = json.at("times").at(0).get<double>(),
                  .end_s = json.at("times").at(1).get<double>(),
                  .score = json.at("score").get<double>()};
  for (const auto& word : json.at("words")) {
    if (!is_word(word)) throw DataError("no word");
    passage.words.push_back({.text = word[0].get<std::string>(),
                             .begin_s = word[1].get<double>(),
                             .end_s = word[2].get<double>(),
                             .confidence = word[3].get<double>()});
  }
  const bool hears = modality == config::enum_name(config::Modality::kAudio);
  return {hears ? config::Modality::kAudio : config::Modality::kVideo, cut, std::move(passage)};
}

}  // namespace

PartFile::PartFile(std::filesystem::path file, const std::string& identity)
    : path_(std::move(file)), kept_(first_line(identity)) {
  std::ifstream in(path_);
  std::string line;
  for (bool first = true; std::getline(in, line); first = false) {
    if (in.eof()) break;  // a line without its end was cut short
    if (first && line + "\n" != kept_) break;
    if (first) continue;
    try {
      auto [modality, cut, passage] = passage_of(parse_json<Json>(line));
      known_.insert_or_assign({modality, cut.begin, cut.end}, std::move(passage));
    } catch (const std::exception&) {
      break;
    }
    kept_ += line + "\n";
  }
}

std::optional<Passage> PartFile::find(config::Modality modality, const Cut& cut) const {
  const auto found = known_.find({modality, cut.begin, cut.end});
  if (found == known_.end()) return std::nullopt;
  return found->second;
}

/// The file is made with the first passage that is new.
void PartFile::add(config::Modality modality, const Cut& cut, const Passage& passage) {
  const auto line = json_of(modality, cut, passage).dump() + "\n";
  if (out_.is_open()) return append(line);
  kept_ += line;
  write_file_atomically(path_, kept_);
  kept_.clear();
  out_.open(path_, std::ios::app);
}

void PartFile::append(const std::string& line) {
  out_ << line << std::flush;
  if (!out_) throw SystemError(fmt::format("cannot write {}", path_.string()));
}

void PartFile::remove() {
  out_.close();
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

}  // namespace raven::transcription
