#include "raven/report/page.h"

#include <spdlog/fmt/fmt.h>

#include <map>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "report/html.h"
#include "report/page_style.h"
#include "report/sections.h"

namespace raven::report {
namespace {

namespace fs = std::filesystem;

/// Folder names, longer by their parents as far as they must be to differ; then numbered.
std::vector<std::string> unique_labels(const std::vector<fs::path>& folders) {
  std::vector<fs::path> places;
  std::vector<std::string> labels;
  for (const auto& folder : folders) {
    auto place = fs::absolute(folder).lexically_normal();
    if (place.filename().empty()) place = place.parent_path();
    labels.push_back(place.filename().string());
    places.push_back(place.parent_path());
  }
  constexpr int kMostParents = 4;
  for (int round = 0; round < kMostParents; ++round) {
    std::map<std::string, int> times;
    for (const auto& label : labels) ++times[label];
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (times[labels[i]] < 2 || places[i].filename().empty()) continue;
      labels[i] = places[i].filename().string() + "/" + labels[i];
      places[i] = places[i].parent_path();
    }
  }
  std::map<std::string, int> times;
  for (auto& label : labels) {
    if (const int before = times[label]++; before > 0) label += fmt::format(" #{}", before + 1);
  }
  return labels;
}

std::string navigation(const std::vector<std::pair<std::string, std::string>>& sections) {
  std::string links;
  for (const auto& [id, name] : sections) links += fmt::format("<a href=\"#{}\">{}</a>", id, name);
  return "<nav aria-label=\"Sections\">" + links + "</nav>\n";
}

}  // namespace

std::string page(const std::vector<fs::path>& folders) {
  if (folders.empty()) throw ConfigError("a report needs at least one run's folder");
  const auto labels = unique_labels(folders);
  Runs runs;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    auto record = read_run(folders[i]);
    auto assessment = assess(record);
    runs.push_back({labels[i], std::move(record), std::move(assessment)});
  }
  const std::vector<std::pair<std::string, std::string>> sections = {
      {"curves", curves_section(runs)},
      {"rates", rates_section(runs)},
      {"worst", worst_section(runs)},
      {"files", files_section(runs)},
      {"setup", setup_section(runs)}};
  static const std::map<std::string, std::string> names = {{"curves", "Curves"},
                                                           {"rates", "Error rates"},
                                                           {"worst", "Worst utterances"},
                                                           {"setup", "Configuration"}};
  std::vector<std::pair<std::string, std::string>> links;
  std::string content;
  for (const auto& [id, markup] : sections) {
    if (const auto name = names.find(id); name != names.end() && !markup.empty()) {
      links.push_back(*name);
    }
    content += markup;
  }
  const auto title =
      escaped(runs.size() == 1 ? runs[0].label : fmt::format("{} runs", runs.size()), 120);
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
         summary_section(runs) + content +
         fmt::format(
             "<footer>Made by raven report from {}. One file; nothing is loaded from "
             "elsewhere.</footer></main>"
             "<script>{}</script></body></html>\n",
             runs.size() == 1 ? "the run's folder" : "the runs' folders", kScript);
}

void write_page(const std::vector<fs::path>& folders, const fs::path& file) {
  write_file_atomically(file, page(folders));
}

}  // namespace raven::report
