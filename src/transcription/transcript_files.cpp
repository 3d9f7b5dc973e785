#include "raven/transcription/transcript_files.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "raven/core/error.h"
#include "raven/core/utf8.h"
#include "raven/transcription/subtitles.h"

namespace raven::transcription {
namespace {

using Json = nlohmann::ordered_json;

/// In milliseconds, and no more.
double rounded(double time_s) { return static_cast<double>(std::llround(time_s * 1000)) / 1000; }

std::string clean(const std::string& text) {
  auto out = as_utf8(text);
  for (auto& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  return out;
}

/// The same with words and times that may be written.
FileTranscript cleaned(FileTranscript transcript) {
  transcript.file = as_utf8(transcript.file);
  const auto end_s = rounded(transcript.duration_s);
  for (auto& one : transcript.transcripts) {
    double before_s = 0;
    for (auto& passage : one.passages) {
      passage.begin_s = std::clamp(rounded(passage.begin_s), 0.0, end_s);
      passage.end_s = std::clamp(rounded(passage.end_s), passage.begin_s, end_s);
      for (auto& word : passage.words) {
        word.text = clean(word.text);
        word.begin_s = std::clamp(rounded(word.begin_s), before_s, end_s);
        word.end_s = std::clamp(rounded(word.end_s), word.begin_s, end_s);
        before_s = word.begin_s;
      }
    }
  }
  return transcript;
}

std::string txt(const Transcript& transcript) {
  std::string out;
  for (const auto& passage : transcript.passages)
    if (!passage.words.empty()) out += text_of(passage.words) + "\n";
  return out;
}

Json json_of(const Word& word) {
  return {{"word", word.text},
          {"start", word.begin_s},
          {"end", word.end_s},
          {"confidence", std::round(word.confidence * 1e4) / 1e4}};
}

Json json_of(const Transcript& transcript) {
  auto passages = Json::array();
  std::vector<Word> all;
  for (const auto& passage : transcript.passages) {
    auto words = Json::array();
    for (const auto& word : passage.words) words.push_back(json_of(word));
    passages.push_back({{"start", passage.begin_s},
                        {"end", passage.end_s},
                        {"text", text_of(passage.words)},
                        {"score", std::round(passage.score * 1e4) / 1e4},
                        {"words", std::move(words)}});
    all.insert(all.end(), passage.words.begin(), passage.words.end());
  }
  return {{"modality", config::enum_name(transcript.modality)},
          {"model", as_utf8(transcript.model)},
          {"text", text_of(all)},
          {"passages", std::move(passages)}};
}

std::string json(const FileTranscript& transcript) {
  auto transcripts = Json::array();
  for (const auto& one : transcript.transcripts) transcripts.push_back(json_of(one));
  const Json all = {{"file", transcript.file},
                    {"duration", rounded(transcript.duration_s)},
                    {"transcripts", std::move(transcripts)},
                    {"remarks", transcript.remarks}};
  return all.dump(1) + "\n";
}

std::string tsv(const FileTranscript& transcript) {
  std::string out = "modality\tstart\tend\tconfidence\tword\n";
  for (const auto& one : transcript.transcripts) {
    for (const auto& passage : one.passages) {
      for (const auto& word : passage.words) {
        out += fmt::format("{}\t{:.3f}\t{:.3f}\t{:.4f}\t{}\n", config::enum_name(one.modality),
                           word.begin_s, word.end_s, word.confidence, word.text);
      }
    }
  }
  return out;
}

std::string content_of(const Transcript& transcript, const std::string& format, double duration_s) {
  if (format == "txt") return txt(transcript);
  const auto shown = subtitles(transcript, duration_s);
  return format == "srt" ? srt(shown) : vtt(shown);
}

}  // namespace

std::string text_of(const std::vector<Word>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word.text;
  return text;
}

std::vector<NamedContent> contents_of(const FileTranscript& transcript, const std::string& name,
                                      const std::vector<std::string>& formats, bool several) {
  const auto written = cleaned(transcript);
  std::vector<NamedContent> files;
  for (const auto& format : formats) {
    if (format == "json" || format == "tsv") {
      files.push_back({.name = name + "." + format,
                       .content = format == "json" ? json(written) : tsv(written)});
      continue;
    }
    for (const auto& one : written.transcripts) {
      const auto kind = several ? "." + config::modality_name(one.modality) : std::string();
      files.push_back({.name = name + kind + "." + format,
                       .content = content_of(one, format, written.duration_s)});
    }
  }
  return files;
}

}  // namespace raven::transcription
