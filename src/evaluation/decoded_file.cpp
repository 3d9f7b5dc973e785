#include "evaluation/decoded_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/parse_json.h"
#include "evaluation/nbest_json.h"
#include "evaluation/utterance_groups.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/utf8.h"

namespace raven::evaluation {
namespace {

using Json = nlohmann::ordered_json;

std::string line_of(const Json& json) { return json.dump() + "\n"; }

/// Its values may hold paths.
DecodedFile::Identity in_utf8(DecodedFile::Identity identity) {
  for (auto& [part, value] : identity.parts) value = as_utf8(value);
  for (auto& [key, value] : identity.settings) value = as_utf8(value);
  return identity;
}

std::string first_line(const DecodedFile::Identity& identity) {
  Json json;
  json["identity"] = identity.parts;
  if (!identity.settings.empty()) json["settings"] = identity.settings;
  return line_of(json);
}

Json line_of_utterance(const std::string& id, const Decoded& decoded) {
  Json json = {{"id", id},
               {"hyp", as_utf8(decoded.hypothesis)},
               {"score", decoded.score},
               {"units", decoded.units}};
  if (!decoded.nbest.empty()) json["nbest"] = to_json(decoded.nbest);
  if (decoded.ctc) json["ctc"] = *decoded.ctc;
  if (decoded.frames > 0) json["frames"] = decoded.frames;
  return json;
}

const Json* member(const Json& json, const char* key) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(key);
  return found == json.end() ? nullptr : &*found;
}

std::optional<std::pair<std::string, Decoded>> utterance_of(const Json& json) {
  const auto *id = member(json, "id"), *hypothesis = member(json, "hyp"),
             *score = member(json, "score"), *units = member(json, "units");
  if (id == nullptr || hypothesis == nullptr || score == nullptr || units == nullptr) return {};
  if (!id->is_string() || !hypothesis->is_string() || !score->is_number()) return {};
  const auto best = units_of(*units);
  if (!best) return {};
  Decoded decoded{
      .hypothesis = hypothesis->get<std::string>(), .score = score->get<double>(), .units = *best};
  if (const auto* list = member(json, "nbest")) {
    auto alternatives = alternatives_of(*list);
    if (!alternatives) return {};
    decoded.nbest = std::move(*alternatives);
  }
  if (const auto* ctc = member(json, "ctc")) {
    decoded.ctc = units_of(*ctc);
    if (!decoded.ctc) return {};
  }
  if (const auto* frames = member(json, "frames")) {
    if (!frames->is_number_integer()) return {};
    decoded.frames = frames->get<std::int64_t>();
  }
  return std::pair(id->get<std::string>(), std::move(decoded));
}

std::optional<Finish> finish_of(const Json& json) {
  const auto *scoring = member(json, "finished"), *skipped = member(json, "skipped");
  if (scoring == nullptr || !scoring->is_string() || skipped == nullptr || !skipped->is_object() ||
      !std::ranges::all_of(*skipped, [](const Json& count) { return count.is_number_integer(); }))
    return {};
  return Finish{.skipped = skipped->get<std::map<std::string, std::int64_t>>(),
                .scoring = scoring->get<std::string>()};
}

/// What `there` (a file's first line) has otherwise than `here`: " (decode.beam 1 there, 40 here)";
/// nothing where an earlier raven did not write its settings down.
std::string differing_settings(const Json& there, const DecodedFile::Identity& here) {
  const auto* settings = member(there, "settings");
  if (settings == nullptr || !settings->is_object()) return {};
  std::vector<std::string> differences;
  for (const auto& [key, value] : here.settings) {
    const auto* other = member(*settings, key.c_str());
    const bool known = other != nullptr && other->is_string();
    const auto before = known ? other->get<std::string>() : "unset";
    if (before != value)
      differences.push_back(fmt::format("{} {} there, {} here", key, before, value));
  }
  return differences.empty() ? "" : fmt::format(" ({})", fmt::join(differences, "; "));
}

/// Parts of `here` that `there` (a file's first line) has otherwise or not at all.
std::vector<std::string> differing_parts(const Json& there, const DecodedFile::Identity& here) {
  std::vector<std::string> parts;
  const auto* identity = member(there, "identity");
  const bool known = identity != nullptr && identity->is_object();
  for (const auto& [part, value] : here.parts) {
    const auto* other = known ? member(*identity, part.c_str()) : nullptr;
    if (other != nullptr && *other == Json(value)) continue;
    const bool is_search = part == DecodedFile::kSearch;
    parts.push_back(is_search ? part + differing_settings(there, here) : part);
  }
  return parts;
}

}  // namespace

DecodedFile::DecodedFile(std::filesystem::path file, const Identity& identity, OtherResults others)
    : path_(std::move(file)), identity_(in_utf8(identity)), kept_(first_line(identity_)) {
  read(identity_, others);
  write_file_atomically(path_, kept_);
  out_.open(path_, std::ios::app);
}

void DecodedFile::read(const Identity& identity, OtherResults others) {
  std::ifstream in(path_);
  std::string line;
  for (bool first = true; std::getline(in, line); first = false) {
    const auto json = parse_json<Json>(line);
    if (!json.is_object() || in.eof()) return;  // a line without its end was cut short
    if (first) {
      const auto parts = differing_parts(json, identity);
      if (parts.empty()) continue;
      const bool holds_any = std::getline(in, line) && !in.eof();
      if (!holds_any) return;
      if (others == OtherResults::kRefuse) {
        throw ConfigError(fmt::format(
            "{}: holds what was decoded with another {}; out= names another folder for the new "
            "results, --replace gives these up",
            path_.parent_path().string(), fmt::join(parts, ", ")));
      }
      log::warn("{}: is of another {}; what was decoded is replaced", path_.string(),
                fmt::join(parts, ", "));
      return;
    }
    if (auto finish = finish_of(json)) {
      finished_ = std::move(finish);
    } else if (auto utterance = utterance_of(json)) {
      if (!done_.insert(std::move(*utterance)).second) continue;  // an older program wrote it twice
    } else {
      return;
    }
    kept_ += line + "\n";
  }
}

void DecodedFile::reopen() {
  if (!finished_) return;
  out_.close();
  std::istringstream lines(read_file(path_));
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    if (!finish_of(parse_json<Json>(line))) kept += line + "\n";
  }
  write_file_atomically(path_, kept);
  finished_.reset();
  out_.open(path_, std::ios::app);
}

void DecodedFile::append(const std::string& line) {
  out_ << line << std::flush;
  if (!out_) throw SystemError(fmt::format("cannot write {}", path_.string()));
}

void DecodedFile::add(const std::string& id, Decoded decoded) {
  if (!is_utf8(id)) {  // it would be read back as another one
    throw DataError(fmt::format("{}: the id '{}' is not UTF-8 (%XX: its bytes); name the utterance "
                                "in UTF-8 in its list",
                                path_.string(), printable(id)),
                    "id");
  }
  // A group that lacks one of its utterances is decoded again, with the same result.
  if (done_.contains(id)) return;
  append(line_of(line_of_utterance(id, decoded)));
  done_.emplace(id, std::move(decoded));
}

void DecodedFile::take_over_parts() {
  for (const auto& part : parts_of_ranks(path_)) {
    std::map<std::string, Decoded> found;
    {
      DecodedFile file(part, identity_);
      found = std::move(file.done_);
    }
    for (auto& [id, decoded] : found) add(id, std::move(decoded));
    flush_to_disk(path_);  // before the part goes
    std::filesystem::remove(part);
  }
}

void DecodedFile::finish(Finish finish) {
  const Json last = {{"finished", finish.scoring}, {"skipped", finish.skipped}};
  auto content = first_line(identity_);
  for (const auto& [id, decoded] : done_) content += line_of(line_of_utterance(id, decoded));
  content += line_of(last);
  out_.close();
  write_file_atomically(path_, content);
  out_.open(path_, std::ios::app);
  finished_ = std::move(finish);
}

}  // namespace raven::evaluation
