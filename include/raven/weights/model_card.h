// What the file of a model says of itself (its metadata), so that the file alone suffices to use
// it: settings under their configuration keys, and some words for people.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "raven/config/decode_config.h"
#include "raven/config/schema.h"
#include "raven/models/encoder.h"

namespace raven::weights {

using Metadata = std::map<std::string, std::string>;

/// Each field of a configuration as `prefix` + key, spelled as on the command line.
void describe(const std::string& prefix, const config::Schema& schema, Metadata& metadata);

/// Adds "modality" and "normalisation": what an encoder reads, and how its numbers are prepared.
/// `waveform`: data.waveform as configured, "none" or "clip".
void describe_input(models::Modality modality, const std::string& waveform, Metadata& metadata);

/// Adds "decode.*": the settings of all published numbers for a recognizer trained with both
/// losses; what remains of them for one that was trained with one.
void describe_decoding(double ctc_weight_of_training, Metadata& metadata);

/// Ending of the file beside a .pth or .npz that holds what shapes cannot tell: a JSON object of
/// settings, key to text.
inline constexpr const char* kSettingsBeside = ".settings.json";

/// What of a model's metadata goes there: data.video.*, data.waveform, decode.*, loss.ctc_weight
/// and model.decoder.heads; with the SHA-256 of these, and of the units that go beside them.
std::string settings_text(const Metadata& metadata);

/// What <name>.settings.json beside `model` says; empty when there is no such file. Throws
/// CheckpointError naming file and key for anything else in it, and when it is damaged. One without
/// hashes is an older one, and the log says so.
Metadata settings_beside(const std::filesystem::path& model);

/// The SHA-256 of the units file that belongs to `model`, as <name>.settings.json beside it tells;
/// empty: it does not. Throws as settings_beside.
std::string units_hash_beside(const std::filesystem::path& model);

}  // namespace raven::weights
