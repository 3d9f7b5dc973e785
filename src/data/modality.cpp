#include "raven/data/modality.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "raven/core/error.h"
#include "raven/core/utf8.h"
#include "raven/data/sample_reader.h"

namespace raven::data {
namespace {

constexpr std::size_t kFilmsOpened = 16;  // to see whether they have sound; spread over the list

const char* name_of(Modalities modalities) {
  if (modalities.video && modalities.audio) return "video and audio";
  return modalities.video ? "video" : "audio";
}

std::string_view missing_part(Modalities needed, Modalities found) {
  if (needed.video && !found.video) return "video";
  return needed.audio && !found.audio ? "audio" : "";
}

[[noreturn]] void refuse(const Manifest& manifest, const Utterance& first, std::string_view missing,
                         std::int64_t others, Modalities needed, std::string_view who) {
  const auto more = others == 0 ? std::string()
                                : fmt::format(" (like {} more of {} utterances)", others,
                                              manifest.utterances.size());
  throw ConfigError(fmt::format(
      "{}: '{}' has no {}{}; {} needs {}: leave such lines out, or give "
      "another list",
      first.origin.text(manifest.file), printable(first.id), missing, more, who, name_of(needed)));
}

/// Of films whose list names no file for their sound.
void open_some(const Manifest& manifest, const std::vector<const Utterance*>& films,
               Modalities needed, std::string_view who) {
  const SampleReader reader({}, std::make_shared<ShardCache>(), manifest.file);
  const auto count = std::min(films.size(), kFilmsOpened);
  for (std::size_t k = 0; k < count; ++k) {
    const auto& film = *films[k * films.size() / count];
    if (!reader.modalities(film).audio) refuse(manifest, film, "audio", 0, needed, who);
  }
}

}  // namespace

Modalities listed_modalities(const Utterance& utterance) {
  const auto& video = utterance.video;
  const bool is_array =
      (video.member.empty() ? video.file.native() : video.member).ends_with(".npy");
  return {.video = !video.empty(),
          .audio = !utterance.audio.empty() || (!video.empty() && !is_array)};
}

void require_modalities(const Manifest& manifest, Modalities needed, std::string_view who) {
  const Utterance* first = nullptr;
  std::int64_t lacking = 0;
  std::vector<const Utterance*> films;
  for (const auto& utterance : manifest.utterances) {
    if (!missing_part(needed, listed_modalities(utterance)).empty()) {
      ++lacking;
      if (first == nullptr) first = &utterance;
    } else if (needed.audio && utterance.audio.empty()) {
      films.push_back(&utterance);
    }
  }
  if (first != nullptr) {
    refuse(manifest, *first, missing_part(needed, listed_modalities(*first)), lacking - 1, needed,
           who);
  }
  if (!films.empty()) open_some(manifest, films, needed, who);
}

}  // namespace raven::data
