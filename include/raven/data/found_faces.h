// The faces of films without landmarks, kept beside the shards so that they are found once.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>

#include "raven/corpus/faces.h"
#include "raven/corpus/source_clip.h"
#include "raven/faces/face_finder.h"

namespace raven::data {

/// DIR/<id>.npy: float32 (frames, 68, 2), a row for each frame at 25 a second, pixels of the
/// picture as it is displayed, NaN where there is no face; DIR/found.json: what they were found
/// with. `raven prepare --landmarks DIR` takes them as any others.
class FoundFaceStore {
 public:
  /// `model` empty: the usual one, which may be missing as long as no face is looked for. Throws
  /// ConfigError where a model that is named cannot be used, or where the folder's faces were found
  /// with another model or choice.
  FoundFaceStore(std::filesystem::path folder, const std::filesystem::path& model,
                 const faces::FaceOptions& options);

  /// Those of the folder, or finds them and puts them there. Any thread may call it. Throws
  /// DataError ("missing-landmarks" where there is no model, else as faces::FaceFinder does),
  /// ConfigError as the constructor, faces::SearchStopped.
  corpus::Faces of(const corpus::SourceClip& clip, const faces::SearchWatch& watch = {});

  /// Another attempt at a clip looks for its faces anew.
  void forget(const corpus::SourceClip& clip);

 private:
  [[nodiscard]] std::filesystem::path file_of(const corpus::SourceClip& clip) const;
  const faces::FaceFinder& finder(const corpus::SourceClip& clip);
  void load(const std::filesystem::path& model);

  std::filesystem::path folder_;
  faces::FaceOptions options_;
  std::mutex mutex_;  // guards finder_
  std::unique_ptr<faces::FaceFinder> finder_;
};

}  // namespace raven::data
