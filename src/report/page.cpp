#include "raven/report/page.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <map>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "report/html.h"
#include "report/labels.h"
#include "report/page_style.h"
#include "report/sections.h"

namespace raven::report {
namespace {

namespace fs = std::filesystem;

struct Records {
  Runs runs;
  std::vector<SelftrainingRecord> selftrainings;
  std::vector<TranscriptsRecord> transcripts;
};

/// Folders of self-training bring their students along.
Records read_all(const std::vector<fs::path>& folders) {
  Records all;
  std::vector<fs::path> of_runs;
  for (const auto& folder : folders) {
    if (is_transcripts(folder)) {
      all.transcripts.push_back(read_transcripts(folder));
    } else if (is_selftraining(folder)) {
      all.selftrainings.push_back(read_selftraining(folder));
      for (const auto& round : all.selftrainings.back().rounds) {
        const bool is_named = std::ranges::any_of(folders, [&](const auto& other) {
          return other.lexically_normal() == round.student.lexically_normal();
        });
        if (!round.student.empty() && !is_named) of_runs.push_back(round.student);
      }
    } else {
      of_runs.push_back(folder);
    }
  }
  const auto labels = unique_labels(of_runs);
  for (std::size_t i = 0; i < of_runs.size(); ++i) {
    auto record = read_run(of_runs[i]);
    auto assessment = assess(record);
    all.runs.push_back({labels[i], std::move(record), std::move(assessment)});
  }
  if (all.runs.size() > 1) group_by_row(all.runs);
  return all;
}

std::string title_of(const Runs& runs, const fs::path& first_folder) {
  if (runs.empty()) return unique_labels({first_folder}).front();
  return runs.size() == 1 ? runs[0].label : fmt::format("{} runs", runs.size());
}

std::string navigation(const std::vector<std::pair<std::string, std::string>>& sections) {
  std::string links;
  for (const auto& [id, name] : sections) links += fmt::format("<a href=\"#{}\">{}</a>", id, name);
  return "<nav aria-label=\"Sections\">" + links + "</nav>\n";
}

}  // namespace

std::string page(const std::vector<fs::path>& folders) {
  if (folders.empty()) throw ConfigError("a report needs at least one run's folder");
  const auto [runs, selftrainings, transcripts] = read_all(folders);
  const std::vector<std::pair<std::string, std::string>> sections = {
      {"curves", curves_section(runs)},
      {"rates", rates_section(runs)},
      {"selftraining", selftraining_section(selftrainings, runs)},
      {"transcripts", transcripts_section(transcripts)},
      {"worst", worst_section(runs)},
      {"files", files_section(runs)},
      {"history", history_section(runs)},
      {"setup", setup_section(runs)}};
  static const std::map<std::string, std::string> names = {
      {"table", "Comparison"},        {"curves", "Curves"},
      {"rates", "Error rates"},       {"selftraining", "Self-training"},
      {"transcripts", "Transcripts"}, {"worst", "Worst utterances"},
      {"history", "History"},         {"setup", "Configuration"}};
  std::vector<std::pair<std::string, std::string>> links;
  std::string content;
  const auto comparison = table_section(runs);
  if (!comparison.empty()) links.push_back(*names.find("table"));
  for (const auto& [id, markup] : sections) {
    if (const auto name = names.find(id); name != names.end() && !markup.empty()) {
      links.push_back(*name);
    }
    content += markup;
  }
  const auto title = escaped(title_of(runs, folders.front()), 120);
  return fmt::format(
             "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
             "'unsafe-inline'; "
             "img-src data:; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
             "<meta name=\"referrer\" content=\"no-referrer\"><title>{} \xC2\xB7 raven "
             "report</title>"
             "<link rel=\"icon\" "
             "href=\"data:,\"><style>{}</style></head>\n<body><header><h1>{}</h1>\n{}</"
             "header>\n<main>",
             kScriptHash, title, kStyle, title, navigation(links)) +
         comparison + summary_section(runs) + content +
         fmt::format(
             "<footer>Made by raven report from {}. One file; nothing is loaded from "
             "elsewhere.</footer></main>"
             "<script>{}</script></body></html>\n",
             folders.size() == 1 ? "the run's folder" : "the runs' folders", kScript);
}

void write_page(const std::vector<fs::path>& folders, const fs::path& file) {
  write_file_atomically(file, page(folders));
}

}  // namespace raven::report
