#include "raven/artifacts/run_folder.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "raven/artifacts/checkpoint_folder.h"
#include "raven/artifacts/flat_config_file.h"
#include "raven/config/machine_keys.h"
#include "raven/core/error.h"
#include "raven/core/utf8.h"
#include "raven/core/whole_work.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// May differ when a run goes on, beside the machine's settings. A group ends in a dot. Where files
/// lie does not matter: of lists and texts data_hash() guards what they hold, of vocabularies that
/// and the run's own kUnitsFile, of model.init its SHA-256 in the checkpoints.
constexpr std::array<std::string_view, 26> kFreeKeys = {"train.steps",
                                                        "train.epochs",
                                                        "data.max_skipped",
                                                        "monitor.every",
                                                        "monitor.probe_utterances",
                                                        "validation.every_epochs",
                                                        "validation.utterances",
                                                        "validation.patience",
                                                        "data.valid_manifest",
                                                        "data.test_manifest",
                                                        "data.pseudo_manifest",
                                                        "data.check_overlap",
                                                        "data.valid_max_frames",
                                                        "data.manifest",
                                                        "data.labelled_list",
                                                        "data.video_root",
                                                        "data.audio_root",
                                                        "data.text",
                                                        "data.valid_text",
                                                        "data.exclude",
                                                        "text.units",
                                                        "text.model",
                                                        "monitor.recognition.text.",
                                                        "model.init",
                                                        "model.init_video",
                                                        "model.init_audio"};

constexpr const char* kSkipped = "skipped.tsv";

bool is_free(const std::string& key) {
  return config::is_of_the_machine(key) || std::ranges::any_of(kFreeKeys, [&](auto free) {
           return free.back() == '.' ? key.starts_with(free) : key == free;
         });
}

}  // namespace

std::vector<std::string> differences(const FlatConfig& written, const FlatConfig& here,
                                     const FlatConfig& defaults) {
  auto there = written;
  there.insert(defaults.begin(), defaults.end());
  std::vector<std::string> lines;
  const auto compare = [&](const std::string& key) {
    const auto value = [&](const FlatConfig& config) {
      const auto found = config.find(key);
      return found == config.end() ? std::string("(no such key)") : found->second;
    };
    if (!is_free(key) && value(there) != value(here)) {
      lines.push_back(fmt::format("{}: {} there, {} here", key, value(there), value(here)));
    }
  };
  for (const auto& [key, value] : here) compare(key);
  for (const auto& [key, value] : there) {
    if (here.count(key) == 0) compare(key);
  }
  return lines;
}

RunFolder::RunFolder(fs::path dir, Access access) : path_(std::move(dir)) {
  if (access == Access::kReader) return;
  const bool prepared = fs::exists(path_ / "shards") || fs::exists(path_ / "manifest.tsv");
  if (prepared && !has_checkpoints()) {
    throw ConfigError(fmt::format(
        "run.dir {} holds prepared data (manifest.tsv, shards); a run needs a folder of its own",
        path_.string()));
  }
  make_folders(path_);
  lock_.emplace(path_);
  recover_checkpoints(checkpoints());
  const auto file = path_ / kSkipped;
  if (!fs::exists(file)) return;
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line) && !lines.eof();) {
    count_skipped(line);
    skipped_bytes_ += line.size() + 1;
  }
}

/// False for an utterance that is known already, and for a line that names none.
bool RunFolder::count_skipped(const std::string& line) {
  const auto id_end = line.find('\t');
  if (id_end == std::string::npos || !skipped_.insert(line.substr(0, id_end)).second) return false;
  const auto reason_end = line.find('\t', id_end + 1);
  ++skipped_by_reason_[line.substr(id_end + 1, reason_end - id_end - 1)];
  return true;
}

bool RunFolder::has_checkpoints() const {
  std::error_code ignored;  // no such folder: none
  for (const auto& entry : fs::directory_iterator(checkpoints(), ignored)) {
    // Also under another name: what was left in parts is gone, the rest may be whole.
    if (entry.path().filename().string().starts_with("step_")) return true;
  }
  return false;
}

void RunFolder::claim(const FlatConfig& config, const std::string& yaml,
                      const std::vector<std::string>& overrides, const FlatConfig& defaults,
                      const std::string& json) {
  const auto before = has_checkpoints() ? read_flat_config(path_ / kConfigFile) : FlatConfig();
  if (!before.empty()) {
    if (const auto lines = differences(before, config, defaults); !lines.empty()) {
      throw ConfigError(fmt::format(
          "{} holds a run with another configuration; choose another run.dir, or give that run's "
          "values to go on with it:\n  {}",
          path_.string(), fmt::join(lines, "\n  ")));
    }
  }
  record("config.yaml", yaml);
  record(kConfigFile, json.empty() ? flat_config_json(config) : json);
  const auto text = overrides.empty() ? "" : fmt::format("{}\n", fmt::join(overrides, "\n"));
  if (!overrides.empty() || !fs::exists(path_ / "overrides.txt")) record("overrides.txt", text);
}

void RunFolder::check_owner() const {
  RAVEN_CHECK(is_owner(), "{} belongs to another process", path_.string());
}

void RunFolder::record(const std::string& name, std::string text) {
  check_owner();
  records_[name] = std::move(text);
  if (!has_checkpoints()) write_records();
}

void RunFolder::write_records() {
  const WholeWork whole;
  for (const auto& [name, text] : records_) write_file_atomically(path_ / name, text);
  records_.clear();
}

void RunFolder::write_environment(const std::map<std::string, std::string>& facts) {
  auto json = Json::object();
  for (const auto& [name, fact] : facts) json[as_utf8(name)] = as_utf8(fact);
  struct utsname system {};
  ::uname(&system);
  json["host"] = as_utf8(system.nodename);
  json["system"] = fmt::format("{} {} {}", system.sysname, system.release, system.machine);
  json["compiler"] = __VERSION__;
  json["process"] = ::getpid();
  record("environment.json", json.dump(2) + "\n");
}

void RunFolder::add_skipped(const std::vector<std::string>& lines) {
  check_owner();
  std::string text;
  for (const auto& line : lines) {
    if (count_skipped(line)) text += line + "\n";
  }
  if (text.empty()) return;
  const auto file = path_ / kSkipped;
  std::error_code error;
  // A line that was cut short by a sudden end is no beginning of the next one.
  if (const auto size = fs::file_size(file, error); !error && size > skipped_bytes_)
    fs::resize_file(file, skipped_bytes_, error);
  std::ofstream out(file, std::ios::app);
  out << text << std::flush;
  if (!out) throw SystemError(fmt::format("cannot write {}: is the disk full?", file.string()));
  skipped_bytes_ += text.size();
}

}  // namespace raven::artifacts
