#include <spdlog/fmt/fmt.h>

#include "report/html.h"
#include "report/sections.h"

namespace raven::report {
namespace {

/// A word with its time and confidence below it, so that nobody depends on a pointer.
std::string words_list(const std::vector<SpokenWord>& words) {
  std::string items;
  for (const auto& word : words) {
    items += fmt::format("<li><span>{}</span><small>{:.2f} s, {}</small></li>",
                         escaped(word.text, 60), word.begin_s, percent_text(word.confidence));
  }
  if (items.empty()) return "<p>nothing was recognised</p>";
  return "<ul class=\"words\">" + items + "</ul>";
}

std::string file_card(const TranscribedFile& file) {
  auto out = fmt::format("<article class=\"card utterance\"><header><b>{}</b><span>{}</span>",
                         escaped(file.name, 120), fmt::format("{:.1f} s", file.duration_s));
  if (file.verdict != "ok") out += fmt::format("<span>{}</span>", escaped(file.verdict, 40));
  out += "</header>";
  if (!file.message.empty()) out += fmt::format("<p>{}</p>", escaped(file.message, 400));
  for (const auto& transcript : file.transcripts) {
    out += fmt::format("<p>{} <small>{}</small></p>{}",
                       transcript.modality == "audio" ? "from the sound" : "from the lips",
                       escaped(transcript.model, 120), words_list(transcript.words));
  }
  return out + "</article>\n";
}

}  // namespace

std::string transcripts_section(const std::vector<TranscriptsRecord>& records) {
  if (records.empty()) return {};
  std::string out = "<section id=\"transcripts\"><h2>Transcripts</h2>\n";
  for (const auto& record : records) {
    out += fmt::format("<p>{}: {}; each word with its begin and its confidence</p>\n",
                       escaped(record.folder.string(), 300),
                       counted(static_cast<double>(record.num_files), "file"));
    out += "<div class=\"worst\">";
    for (const auto& file : record.files) out += file_card(file);
    out += "</div>\n";
    if (const auto rest = record.num_files - std::ssize(record.files); rest > 0)
      out += fmt::format("<p>{} more are in the folder</p>\n", count_text(rest));
    for (const auto& problem : record.problems)
      out += fmt::format("<p>{}</p>\n", escaped(problem, 400));
  }
  return out + "</section>\n";
}

}  // namespace raven::report
