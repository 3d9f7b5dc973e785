// The mouth crops of a film, whichever way they are had.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "raven/corpus/grey.h"
#include "raven/corpus/mouth_film.h"
#include "raven/data/found_faces.h"
#include "raven/transcription/media_pieces.h"

namespace raven::transcription {

/// Where a film's landmarks are expected; a table (.csv) serves where there is no array.
std::filesystem::path landmarks_of(const std::filesystem::path& film,
                                   const std::filesystem::path& folder,
                                   const std::string& ending = ".npy");

/// A film of 96 x 96 pixels as it is, with options.landmarks any other one by the landmarks there,
/// else by the faces that options.faces finds. Throws DataError ("no-video", "missing-landmarks",
/// "landmarks", "no-face", "corrupt", ...), and ConfigError as FoundFaceStore does.
corpus::MouthFilm open_mouths(const std::filesystem::path& film, const PieceOptions& options);

/// Of films that are read.
media::Limits limits_of_films();

}  // namespace raven::transcription
