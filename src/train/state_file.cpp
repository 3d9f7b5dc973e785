#include "train/state_file.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "raven/core/error.h"
#include "raven/core/files.h"

namespace raven::train {
namespace {

using Json = nlohmann::json;

constexpr int kFormatVersion = 1;
constexpr std::uint64_t kMaxBytes = 16ULL << 20;

/// Paths and names in a configuration need not be UTF-8.
std::string text_of(const Json& content, int indent) {
  return content.dump(indent, ' ', false, Json::error_handler_t::replace);
}

/// Checksum of everything but the checksum; keys of a JSON object are sorted, so the text is
/// unique.
std::string own_checksum(Json content) {
  content.erase("checksum");
  return checksum_text(checksum(text_of(content, -1)));
}

std::map<std::string, double> finite(std::map<std::string, double> numbers) {
  for (auto item = numbers.begin(); item != numbers.end();) {
    item = std::isfinite(item->second) ? std::next(item) : numbers.erase(item);
  }
  return numbers;
}

}  // namespace

StateFile read_state_file(const std::filesystem::path& file) {
  try {
    const auto content = Json::parse(read_file(file, kMaxBytes));
    if (content.at("checksum").get<std::string>() != own_checksum(content)) {
      throw CheckpointError(fmt::format("{}: damaged, its checksum does not fit", file.string()));
    }
    if (const auto version = content.at("format_version").get<int>(); version != kFormatVersion) {
      throw CheckpointError(fmt::format("{}: format version {}, this program reads {}",
                                        file.string(), version, kFormatVersion));
    }
    StateFile result;
    result.checksums = content.at("files").get<std::map<std::string, std::string>>();
    auto& state = result.state;
    state.step = content.at("step").get<std::int64_t>();
    state.position.epoch = content.at("loader").at("epoch").get<std::int64_t>();
    state.position.batch = content.at("loader").at("batch").get<std::int64_t>();
    state.seed = content.at("seed").get<std::uint64_t>();
    state.config = content.at("config").get<std::map<std::string, std::string>>();
    state.numbers = content.at("numbers").get<std::map<std::string, double>>();
    state.data_hash = content.value("data_hash", "");
    state.batches_per_epoch = content.value("batches_per_epoch", std::int64_t{0});
    state.threads = content.value("threads", std::int64_t{0});
    state.look_due = content.value("look_due", false);
    return result;
  } catch (const Json::exception& error) {
    throw CheckpointError(fmt::format("{}: damaged: {}", file.string(), error.what()));
  }
}

void write_state_file(const std::filesystem::path& file, const StateFile& content) {
  const auto& state = content.state;
  Json json{{"format_version", kFormatVersion},
            {"step", state.step},
            {"loader", {{"epoch", state.position.epoch}, {"batch", state.position.batch}}},
            {"seed", state.seed},
            {"config", state.config},
            {"config_hash", config_hash(state.config)},
            {"numbers", finite(state.numbers)},
            {"data_hash", state.data_hash},
            {"batches_per_epoch", state.batches_per_epoch},
            {"threads", state.threads},
            {"look_due", state.look_due},
            {"files", content.checksums}};
  json["checksum"] = own_checksum(json);
  write_file_atomically(file, text_of(json, 2) + "\n");
}

}  // namespace raven::train
