// Which of several faces in a film is taken.
#pragma once

#include <string_view>
#include <utility>

#include "raven/config/fields.h"

namespace raven::config {

/// The largest, the one nearest to the middle of the picture, or the one whose mouth moves with the
/// loudness of the sound (the largest where there is no sound).
enum class FaceChoice { kLargest, kCentral, kSpeaking };
template <>
struct EnumNames<FaceChoice> {
  static constexpr std::pair<FaceChoice, std::string_view> kNames[] = {
      {FaceChoice::kLargest, "largest"},
      {FaceChoice::kCentral, "central"},
      {FaceChoice::kSpeaking, "speaking"}};
};

}  // namespace raven::config
