#include "report/labels.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <map>

#include "raven/core/utf8.h"

namespace raven::report {

namespace fs = std::filesystem;

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

std::string common_label(const std::vector<std::string>& labels) {
  if (labels.size() < 2) return labels.empty() ? std::string() : labels.front();
  auto common = labels.front();
  for (const auto& label : labels) {
    const auto differs = std::mismatch(common.begin(), common.end(), label.begin(), label.end());
    common.erase(differs.first, common.end());
  }
  while (!is_utf8(common)) common.pop_back();  // a character was cut
  return common.empty() ? labels.front() + ", ..." : common + "*";
}

}  // namespace raven::report
