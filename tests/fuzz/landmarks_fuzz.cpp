// From the bytes of a landmark file to cropped pixels.
#include "raven/corpus/landmarks.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "raven/core/error.h"
#include "raven/corpus/mouth_crop.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace raven::corpus;
  constexpr std::int64_t kSize = 32;
  static const std::vector<std::uint8_t> image(kSize * kSize, 100);
  std::vector<std::uint8_t> crop(std::size_t{kCropSize} * kCropSize);
  try {
    const auto faces = read_landmarks({reinterpret_cast<const char*>(data), size}, "fuzz");
    const raven::media::Turn turns[] = {{1, 0, 0, 1}, {0, -1, 1, 0}, {-1, 0, 0, 1}};
    const auto fitted = fit_to_picture(faces, {.width = kSize, .height = kSize}, turns[size % 3],
                                       LandmarkPicture::kAuto, "fuzz");
    const auto crops =
        plan_mouth_crops(fill_gaps(fitted.faces, fitted.detected), fitted.faces.count);
    for (const auto& how : crops) {
      const auto& window = how.window;
      if (window.row < 0 || window.row > 160 || window.column < 0 || window.column > 160)
        __builtin_trap();
      crop_mouth({image.data(), kSize, kSize, 1, kSize}, how, crop);
    }
  } catch (const raven::DataError&) {
  }
  return 0;
}
