// Two windows of one stretch that share some time -> words that follow each other.
#pragma once

#include "raven/transcription/transcript.h"

namespace raven::transcription {

/// Ends `before` and begins `after` where both agree best in the time that they share: in the
/// middle of the longest run of equal words that both have at the same time (middles at most half a
/// second apart; of two such runs the one nearer to the middle of the shared time), or, where no
/// word is equal, in the middle of that time. What a window heard at its very end, with nothing
/// after it, thus gives way to what the other heard in its midst.
void join_windows(Passage& before, Passage& after);

}  // namespace raven::transcription
