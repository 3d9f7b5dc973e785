// What an encoder sees: the mouth or the waveform.
#pragma once

#include <array>
#include <string>
#include <utility>

#include "raven/config/fields.h"

namespace raven::config {

enum class Modality { kVideo, kAudio };
template <>
struct EnumNames<Modality> {
  static constexpr std::pair<Modality, std::string_view> kNames[] = {{Modality::kVideo, "video"},
                                                                     {Modality::kAudio, "audio"}};
};

inline constexpr std::array kModalities = {Modality::kVideo, Modality::kAudio};

/// "video" or "audio", as configurations, files and metrics spell it.
inline std::string modality_name(Modality modality) { return std::string(enum_name(modality)); }

}  // namespace raven::config
