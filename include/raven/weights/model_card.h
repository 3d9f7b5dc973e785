// <name>.settings.json beside a model that other programs read: what its shapes cannot tell.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "raven/weights/model_settings.h"
#include "raven/weights/safetensors.h"

namespace raven::weights {

/// Ending of the file beside a .pth or .npz that holds what shapes cannot tell: a JSON object of
/// settings, key to text.
inline constexpr const char* kSettingsBeside = ".settings.json";

/// The SHA-256 of a model's tensors and their names, in whatever file they lie; an encoder's names
/// with their `encoder.`.
std::string weights_hash(const TensorFile& model);

/// The key under which a model says that its weights learned from "published" grey
/// (corpus::Grey); missing: not known.
inline constexpr const char* kGreyKey = "data.grey";

/// What of a model's metadata goes there: data.video.*, data.grey, data.waveform, decode.*,
/// loss.ctc_weight and model.decoder.heads, and how it was made (kOrigin); with the SHA-256 of
/// these, of the units that go beside them, and of the weights that they belong to (weights_hash;
/// empty: not known).
std::string settings_text(const Metadata& metadata, const std::string& hash_of_weights = "");

struct SettingsBeside {
  Metadata settings;                               // empty: there are none
  std::string units_hash = {}, weights_hash = {};  // of what belongs to them; empty: not told
};

/// What <name>.settings.json beside `model` says. Throws CheckpointError naming file and key for
/// anything else in it, and when it is damaged. One without hashes is an older one, and the log
/// says so.
SettingsBeside settings_beside(const std::filesystem::path& model);

/// A file of published weights, as it was published or as `raven import` wrote it: their pictures
/// were of corpus::Grey::kPublished. False for what raven made, and for folders.
bool saw_published_grey(const std::filesystem::path& weights);

}  // namespace raven::weights
