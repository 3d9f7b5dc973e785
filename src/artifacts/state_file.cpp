#include "artifacts/state_file.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/json_nesting.h"

namespace raven::artifacts {
namespace {

using Json = nlohmann::json;

constexpr int kFormatVersion = 1;
constexpr std::uint64_t kMaxBytes = 16ULL << 20;
constexpr std::size_t kMaxNesting = 8;  // ours has 2

/// Texts in it are UTF-8: flatten() sees to those of a configuration, whose paths need not be.
std::string text_of(const Json& content, int indent) { return content.dump(indent); }

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

Json parse(std::string_view text) {
  if (json_nesting(text) > kMaxNesting) {
    throw CheckpointError(fmt::format("more than {} brackets in each other", kMaxNesting));
  }
  auto content = Json::parse(text);
  if (!content.is_object()) throw CheckpointError("expected a JSON object");
  return content;
}

/// A whole number from 0 that an int64 holds.
std::int64_t count(const Json& content, const char* key) {
  const auto& value = content.at(key);
  if (value.is_number_unsigned() &&
      value.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
    return value.get<std::int64_t>();
  }
  throw CheckpointError(
      fmt::format("{} is {}, expected a whole number from 0", key, text_of(value, -1)));
}

std::int64_t count_or_0(const Json& content, const char* key) {
  return content.contains(key) ? count(content, key) : 0;
}

Json described(const StateFile& file) {
  const auto& state = file.state;
  Json content = {{"format_version", kFormatVersion},
                  {"step", state.step},
                  {"loader", {{"epoch", state.position.epoch}, {"batch", state.position.batch}}},
                  {"seed", state.seed},
                  {"config", state.config},
                  {"config_hash", config_hash(state.config)},
                  {"numbers", finite(state.numbers)},
                  {"data_hash", state.data_hash},
                  {"batches_per_epoch", state.batches_per_epoch},
                  {"threads", state.threads},
                  {"seeding", state.seeding},
                  {"look_due", state.evaluation_due},  // the key's name in files that exist
                  {"interim", state.interim},
                  {"files", file.checksums}};
  if (state.length > 0) content["length"] = state.length;
  if (state.best) {
    content["best"] = {{"step", state.best->step},
                       {"value", state.best->value},
                       {"evaluations_since", state.best->evaluations_since}};
  }
  if (state.ranks != 1) content["ranks"] = state.ranks;
  if (!state.run_files.empty()) content["run_files"] = state.run_files;
  if (!state.card.empty()) content["card"] = state.card;
  return content;
}

}  // namespace

StateFile parse_state(std::string_view text, const std::string& name) {
  try {
    const auto content = parse(text);
    if (content.at("checksum").get<std::string>() != own_checksum(content)) {
      throw CheckpointError("its checksum does not fit");
    }
    if (const auto version = count(content, "format_version"); version != kFormatVersion) {
      throw CheckpointError(
          fmt::format("format version {}, this program reads {}", version, kFormatVersion));
    }
    const auto& loader = content.at("loader");
    StateFile result;
    result.checksums = content.at("files").get<std::map<std::string, std::string>>();
    auto& state = result.state;
    state.step = count(content, "step");
    state.length = count_or_0(content, "length");
    state.position = {.epoch = count(loader, "epoch"), .batch = count(loader, "batch")};
    state.seed = static_cast<std::uint64_t>(count(content, "seed"));
    state.config = content.at("config").get<std::map<std::string, std::string>>();
    state.numbers = content.at("numbers").get<std::map<std::string, double>>();
    state.data_hash = content.value("data_hash", "");
    state.batches_per_epoch = count_or_0(content, "batches_per_epoch");
    if (content.contains("best")) {
      const auto& best = content.at("best");
      state.best = {.step = count(best, "step"),
                    .value = best.at("value").get<double>(),
                    .evaluations_since = count(best, "evaluations_since")};
    }
    if (content.contains("ranks")) state.ranks = count(content, "ranks");
    state.threads = count_or_0(content, "threads");
    state.seeding = content.contains("seeding") ? count(content, "seeding") : 1;
    state.evaluation_due = content.value("look_due", false);
    state.interim = content.value("interim", false);
    state.run_files = content.value("run_files", std::map<std::string, std::string>());
    state.card = content.value("card", std::map<std::string, std::string>());
    return result;
  } catch (const Json::exception& error) {
    throw CheckpointError(fmt::format("{}: damaged: {}", name, error.what()));
  } catch (const CheckpointError& error) {
    throw CheckpointError(fmt::format("{}: damaged: {}", name, error.what()));
  }
}

StateFile read_state_file(const std::filesystem::path& file) {
  return parse_state(read_file(file, kMaxBytes), file.string());
}

std::string with_checksum(std::string_view content) {
  try {
    auto json = parse(content);
    json["checksum"] = own_checksum(json);
    return text_of(json, 2) + "\n";
  } catch (const Json::exception& error) {
    throw CheckpointError(error.what());
  }
}

void write_state_file(const std::filesystem::path& file, const StateFile& content) {
  write_file_atomically(file, with_checksum(text_of(described(content), -1)));
}

}  // namespace raven::artifacts
