// The mouth crops of any film, whichever way they are had.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "raven/corpus/grey.h"
#include "raven/corpus/mouth_film.h"
#include "raven/data/found_faces.h"
#include "raven/faces/face_finder.h"

namespace raven::data {

/// Where mouths are looked for.
struct MouthSearch {
  std::filesystem::path landmarks;  // folder; empty: none are given
  FoundFaceStore* faces = nullptr;  // finds those of films without landmarks; null: nothing
  std::string name = {};            // of what is found, in the store
  corpus::Grey grey = corpus::Grey::kLuma;
  faces::SearchWatch watch = {};
};

/// Where a film's landmarks are expected; a table (.csv) serves where there is no array.
std::filesystem::path landmarks_of(const std::filesystem::path& film,
                                   const std::filesystem::path& folder,
                                   const std::string& ending = ".npy");

/// A film of 96 x 96 pixels as it is, with search.landmarks any other one by the landmarks there,
/// else by the faces that search.faces finds. Throws DataError ("no-video", "missing-landmarks",
/// "landmarks", "no-face", "corrupt", ...), ConfigError as FoundFaceStore does, and
/// faces::SearchStopped.
corpus::MouthFilm open_mouths(const std::filesystem::path& film, const MouthSearch& search);

/// Of films of any length that is read.
media::Limits limits_of_films();

}  // namespace raven::data
