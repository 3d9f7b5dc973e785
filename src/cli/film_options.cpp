#include "cli/film_options.h"

namespace raven::cli {

std::vector<Option> film_options() {
  return {{.name = "--landmarks",
           .value = "DIR",
           .meaning = "for lips: 68 points a frame, DIR/NAME.npy for NAME.mp4, as `raven prepare` "
                      "takes them; else faces are found (data.landmarks=)",
           .kind = ValueKind::kFolder},
          {.name = "--face",
           .value = "WHICH",
           .meaning = "of several faces that are found: the largest, the most central, or the one "
                      "that speaks (data.face=)",
           .choices = {"largest", "central", "speaking"}},
          {.name = "--landmark-model",
           .value = "FILE",
           .meaning = "a file of dlib's shape predictor, by which faces are found "
                      "(data.landmark_model=)",
           .kind = ValueKind::kFile}};
}

const std::vector<std::pair<std::string, std::string>>& keys_of_film_options() {
  static const std::vector<std::pair<std::string, std::string>> keys = {
      {"--landmarks", "data.landmarks"},
      {"--face", "data.face"},
      {"--landmark-model", "data.landmark_model"}};
  return keys;
}

}  // namespace raven::cli
