#include "evaluation/model_settings.h"

namespace raven::evaluation {

config::FinetuneConfig model_config(const std::filesystem::path& file,
                                    const weights::Metadata& metadata,
                                    const std::string& modality) {
  auto overrides = settings_in<config::FinetuneConfig>(metadata, "");
  std::erase_if(overrides, [](const auto& one) { return one.rfind("model.init=", 0) == 0; });
  overrides.push_back("model.modality=" + modality);
  return with_settings<config::FinetuneConfig>(file, overrides);
}

}  // namespace raven::evaluation
