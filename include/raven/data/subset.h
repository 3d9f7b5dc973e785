// Parts of a manifest.
#pragma once

#include <filesystem>
#include <string>

#include "raven/data/manifest.h"

namespace raven::data {

/// Utterances drawn at random by a hash of their ids, until they last `hours`: the same in every
/// run, and each subset contains the smaller ones. They keep the manifest's order. The
/// draw ends with the utterance that reaches `hours`. Throws ConfigError that names `key`, which
/// asks for them, when the manifest does not last as long.
Manifest subset_of_hours(const Manifest& manifest, double hours, const std::string& key);

/// The utterances whose ids `list` names, one a line (empty lines, CRLF and CR allowed), in the
/// manifest's order. Throws ConfigError when the file is missing or names none, and DataError with
/// file:line for an id that the manifest does not have.
Manifest subset_of_list(const Manifest& manifest, const std::filesystem::path& list);

/// `count` utterances spread evenly over the list; all when there are no more.
Manifest spread(const Manifest& manifest, std::int64_t count);

}  // namespace raven::data
