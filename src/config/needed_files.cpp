#include "raven/config/needed_files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "raven/config/probe_config.h"

namespace raven::config {
namespace {

constexpr const char* kProbe = "monitor.recognition.";

/// Texts that name no file to read. student.config is looked up in other places, and read when the
/// configuration is.
constexpr std::array<std::string_view, 6> kOthers = {"run.dir", "out",         "format",
                                                     "layers",  "student.set", "student.config"};

bool has_probe(const Schema& schema) {
  const auto* enabled = schema.find("monitor.recognition.enabled");
  return enabled != nullptr && std::get<bool>(enabled->get().items.front());
}

}  // namespace

std::vector<NamedFile> missing_files(const Schema& schema) {
  std::vector<NamedFile> missing;
  for (const auto& field : schema.fields) {
    if (field.type != FieldType::kText || std::ranges::find(kOthers, field.key) != kOthers.end())
      continue;
    if (field.key.starts_with(kProbe) && !has_probe(schema)) continue;
    for (const auto& item : field.get().items) {
      const auto& path = std::get<std::string>(item);
      if (field.key == "labels" && path == kSpeakerLabels) continue;
      std::error_code ignored;
      if (!path.empty() && path != kRequired && !std::filesystem::exists(path, ignored))
        missing.push_back({field.key, path});
    }
  }
  return missing;
}

}  // namespace raven::config
