// One sound file without pictures -> sound as it is stored.
#pragma once

#include "raven/corpus/clip_preparation.h"

namespace raven::corpus {

/// Cuts and encodes a clip without a video: its frames are what its sound fills at 25 a second, a
/// last part of one is dropped. Throws DataError, as prepare_clip() names them.
PreparedClip prepare_sound(const SourceClip& clip, const ClipOptions& options);

}  // namespace raven::corpus
