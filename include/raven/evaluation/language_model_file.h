// A language model from a file, for the search of a recognizer.
#pragma once

#include <filesystem>
#include <string>

#include "raven/models/language_model.h"
#include "raven/text/units.h"

namespace raven::evaluation {

struct LoadedLanguageModel {
  models::LanguageModel model{nullptr};  // eval mode, on the CPU
  std::string units;                     // content of its units file; empty: not known
  std::filesystem::path file;            // that was read
  std::string checksum;                  // of it

  [[nodiscard]] bool empty() const { return model.is_empty(); }
};

/// `path`: a language model .safetensors file that `raven import` wrote, or one that it would take
/// (.pth). Throws CheckpointError when it is none, or has tensors that do not fit its own settings.
LoadedLanguageModel load_language_model(const std::filesystem::path& path);

/// Throws ConfigError when its units are others than those of `recognizer`, a name for messages. Of
/// a model that does not know its units only their number can be compared.
void check_same_units(const LoadedLanguageModel& model, const text::Units& units,
                      const std::string& recognizer);

}  // namespace raven::evaluation
