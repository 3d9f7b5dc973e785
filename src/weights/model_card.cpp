#include "raven/weights/model_card.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/parse_json.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/sha256.h"
#include "raven/core/utf8.h"
#include "raven/corpus/grey.h"
#include "raven/weights/inspection.h"

namespace raven::weights {

namespace {

constexpr std::uint64_t kMaxSettingsBytes = 1 << 20;
constexpr const char* kUnitsHash = "units_sha256";
constexpr const char* kSettingsHash = "settings_sha256";
constexpr const char* kWeightsHash = "weights_sha256";

bool is_setting(const std::string& key) {
  return std::find(kOrigin.begin(), kOrigin.end(), key) != kOrigin.end() ||
         key.rfind("data.video.", 0) == 0 || key.rfind("decode.", 0) == 0 ||
         key == "data.waveform" || key == "data.whole_sound" || key == kGreyKey ||
         key == "loss.ctc_weight" || key == "model.decoder.heads";
}

std::string hash_of(const Metadata& settings) {
  std::string text;
  for (const auto& [key, value] : settings) {
    if (key != kSettingsHash)
      text += fmt::format("{}:{}{}:{}", key.size(), key, value.size(), value);
  }
  return sha256(text);
}

/// With hashes, which are compared.
Metadata read_settings(const std::filesystem::path& model) {
  auto file = model;
  file.replace_extension(kSettingsBeside);
  Metadata settings;
  if (!std::filesystem::exists(file)) return settings;
  const auto text = read_file(file, kMaxSettingsBytes);
  const auto json = parse_json(text);
  if (!json.is_object()) {
    throw CheckpointError(file.string() + ": expected a JSON object of settings, key to text");
  }
  for (const auto& [key, value] : json.items()) {
    const bool known =
        is_setting(key) || key == kUnitsHash || key == kSettingsHash || key == kWeightsHash;
    if (!known || !value.is_string()) {
      throw CheckpointError(
          fmt::format("{}: '{}' is not a setting of a model's input or decoding, or not text",
                      file.string(), printable(key)));
    }
    settings[key] = value.get<std::string>();
  }
  const auto listed = settings.find(kSettingsHash);
  if (listed == settings.end()) {
    log::info(
        "{}: was written before settings had a hash, so damage to them would not be seen; `raven "
        "export` writes it anew",
        file.string());
  } else if (listed->second != hash_of(settings)) {
    throw CheckpointError(
        fmt::format("{}: damaged: its SHA-256 is not the one that it lists; export the model again "
                    "(who changed a setting on purpose removes '{}')",
                    file.string(), kSettingsHash));
  }
  return settings;
}

}  // namespace

std::string weights_hash(const TensorFile& model) {
  std::map<std::string, std::string> hashes;
  for (const auto& [name, tensor] : model.tensors) hashes[name] = tensor_sha256(tensor);
  std::string text;
  for (const auto& [name, hash] : hashes) text += fmt::format("{}:{}{}", name.size(), name, hash);
  return sha256(text);
}

std::string settings_text(const Metadata& metadata, const std::string& hash_of_weights) {
  Metadata settings;
  for (const auto& [key, value] : metadata) {
    if (is_setting(key)) settings[as_utf8(key)] = as_utf8(value);
  }
  if (const auto units = metadata.find("units"); units != metadata.end())
    settings[kUnitsHash] = sha256(units->second);
  if (!hash_of_weights.empty()) settings[kWeightsHash] = hash_of_weights;
  settings[kSettingsHash] = hash_of(settings);
  return nlohmann::json(settings).dump(2) + "\n";
}

bool saw_published_grey(const std::filesystem::path& weights) {
  if (!std::filesystem::is_regular_file(weights)) return false;
  const bool is_own = weights.extension() == ".safetensors";
  const auto said = is_own ? read_safetensors_metadata(weights) : settings_beside(weights).settings;
  const auto grey = said.find(kGreyKey);
  return grey == said.end() ? !is_own && said.empty()
                            : grey->second == corpus::name_of(corpus::Grey::kPublished);
}

SettingsBeside settings_beside(const std::filesystem::path& model) {
  SettingsBeside beside{.settings = read_settings(model)};
  const auto take = [&](const char* key) {
    auto hash = beside.settings.extract(key);
    return hash.empty() ? "" : std::move(hash.mapped());
  };
  beside.units_hash = take(kUnitsHash);
  beside.weights_hash = take(kWeightsHash);
  take(kSettingsHash);
  return beside;
}

}  // namespace raven::weights
