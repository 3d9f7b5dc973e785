#include <array>
#include <utility>

#include "raven/faces/face_finder.h"

namespace raven::faces {
namespace {

constexpr std::array<std::pair<std::string_view, FaceChoice>, 3> kChoices = {
    {{"largest", FaceChoice::kLargest},
     {"central", FaceChoice::kCentral},
     {"speaking", FaceChoice::kSpeaking}}};

}  // namespace

std::optional<FaceChoice> face_choice_of(std::string_view name) {
  for (const auto& [known, choice] : kChoices) {
    if (known == name) return choice;
  }
  return std::nullopt;
}

std::string_view name_of(FaceChoice choice) {
  for (const auto& [name, known] : kChoices) {
    if (known == choice) return name;
  }
  return "unknown";
}

}  // namespace raven::faces
