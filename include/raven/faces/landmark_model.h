// A file of dlib's shape predictor: the regression trees that put 68 landmarks on a face. Read by
// a parser of our own that believes no size and no index of the file.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "raven/corpus/mean_face.h"

namespace raven::faces {

/// Where Debian's libdlib-data puts the model.
inline constexpr const char* kDefaultLandmarkModel =
    "/usr/share/dlib/shape_predictor_68_face_landmarks.dat";

/// What to say where there is none.
inline constexpr std::string_view kLandmarkModelRemedy =
    "install Debian's package libdlib-data, or name another file of dlib's shape predictor with 68 "
    "points by --landmark-model FILE";

/// Rows of grey pixels, `stride` bytes apart.
struct GreyView {
  const std::uint8_t* pixels = nullptr;
  std::int64_t height = 0, width = 0, stride = 0;
};

/// A square-like box around a face as dlib's detector gives it; pixels, edges included.
struct FaceBox {
  double left = 0, top = 0, right = 0, bottom = 0;
};

/// Immutable: any number of threads may use one.
class LandmarkModel {
 public:
  /// Throws ConfigError in one sentence where `file` is missing, or no model of 68 points.
  explicit LandmarkModel(const std::filesystem::path& file);
  ~LandmarkModel();
  LandmarkModel(const LandmarkModel&) = delete;
  LandmarkModel& operator=(const LandmarkModel&) = delete;

  /// The landmarks of the face in `box`, in pixels of the picture. They always look like a face:
  /// whether there is one is the detector's business.
  [[nodiscard]] corpus::FacePoints points(const GreyView& picture, const FaceBox& box) const;

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }
  /// Tells models apart: a checksum of the file.
  [[nodiscard]] const std::string& checksum() const { return checksum_; }
  /// One line on what the file may be used for.
  [[nodiscard]] std::string licence() const;

 private:
  struct Trees;
  std::filesystem::path file_;
  std::string checksum_;
  std::unique_ptr<const Trees> trees_;
};

}  // namespace raven::faces
