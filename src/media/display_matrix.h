// A stream's or picture's display matrix, as libav hands it over.
#pragma once

#include "media/av.h"
#include "raven/media/turn.h"

namespace raven::media {

/// The stream's, else the one that the codec tells of `first` picture. None where there is no
/// matrix or one that is not near a multiple of 90 degrees (players show those as they are stored).
Turn displayed_turn(const AVStream& stream, const AVFrame& first);

}  // namespace raven::media
