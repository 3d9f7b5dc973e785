// The mouth in each frame of a film.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "corpus/crop_plan.h"
#include "corpus/remarks.h"
#include "raven/corpus/clip_preparation.h"
#include "raven/corpus/mouth_crop.h"
#include "raven/corpus/source_clip.h"
#include "raven/media/turn.h"
#include "raven/media/video_reader.h"

namespace raven::corpus {

/// Crops one after another, kCropBytes each, and the pictures that they were cut from.
struct Crops {
  std::vector<std::uint8_t> pixels;
  std::int64_t num_frames = 0;
  media::PictureTimes times;
  media::TrackChoice track;
  media::Damage damage;
  media::Turn turn;  // of the pictures before they were cropped
};

/// By the clip's file of landmarks; without one, a film of the size of a crop is taken for crops,
/// and in others `options.find_faces` finds the faces. Throws DataError; see prepare_clip().
Crops crop_film(SourceClip clip, const ClipOptions& options, Remarks& remarks);

}  // namespace raven::corpus
