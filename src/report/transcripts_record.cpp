#include "report/transcripts_record.h"

#include <algorithm>
#include <string_view>

#include "core/parse_json.h"
#include "raven/core/error.h"
#include "report/json_fields.h"
#include "report/lines.h"

namespace raven::report {
namespace {

namespace fs = std::filesystem;

constexpr const char* kList = "transcripts.jsonl";
constexpr std::size_t kMaxLineBytes = 1 << 20, kMaxFiles = 50, kMaxWords = 5000;

const Json& list_in(const Json& object, const char* key) {
  static const Json none = Json::array();
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : none;
}

TranscriptRecord transcript_of(const Json& json) {
  TranscriptRecord transcript{
      .modality = text_of(json, "modality"), .model = text_of(json, "model"), .words = {}};
  for (const auto& passage : list_in(json, "passages")) {
    if (!passage.is_object()) continue;
    for (const auto& word : list_in(passage, "words")) {
      if (!word.is_object() || transcript.words.size() == kMaxWords) continue;
      transcript.words.push_back({.text = text_of(word, "word"),
                                  .begin_s = number_of(word, "start").value_or(0),
                                  .end_s = number_of(word, "end").value_or(0),
                                  .confidence = number_of(word, "confidence").value_or(0)});
    }
  }
  return transcript;
}

/// A name out of a list that anyone may have changed leads nowhere else.
bool is_plain(const std::string& name) {
  return !name.empty() && name.find('/') == std::string::npos && name != "." && name != "..";
}

void read_file_of(const fs::path& folder, TranscribedFile& file,
                  std::vector<std::string>& problems) {
  if (!is_plain(file.name)) return;
  const auto json = read_json(folder / (file.name + ".json"), false, problems);
  if (!json || !json->is_object()) return;
  for (const auto& transcript : list_in(*json, "transcripts"))
    if (transcript.is_object()) file.transcripts.push_back(transcript_of(transcript));
}

}  // namespace

bool is_transcripts(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_regular_file(folder / kList, ignored);
}

TranscriptsRecord read_transcripts(const fs::path& folder) {
  TranscriptsRecord record{.folder = folder};
  std::int64_t damaged = 0;
  try {
    damaged += for_each_line(folder / kList, kMaxLineBytes, [&](std::string_view line) {
      Json json;
      try {
        json = parse_json<Json>(line);
      } catch (const std::exception&) {
        ++damaged;
        return true;
      }
      if (!json.is_object()) {
        ++damaged;
        return true;
      }
      ++record.num_files;
      if (record.files.size() == kMaxFiles) return true;
      record.files.push_back({.name = text_of(json, "name"),
                              .verdict = text_of(json, "verdict"),
                              .message = text_of(json, "message"),
                              .duration_s = number_of(json, "duration").value_or(0),
                              .transcripts = {}});
      read_file_of(folder, record.files.back(), record.problems);
      return true;
    });
  } catch (const SystemError& error) {
    record.problems.emplace_back(error.what());
  }
  if (damaged > 0)
    record.problems.push_back(fmt::format("{}: {} lines are damaged", kList, damaged));
  return record;
}

}  // namespace raven::report
