// Options of commands that read lips from any film.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/command.h"

namespace raven::cli {

/// --landmarks, --face, --landmark-model.
std::vector<Option> film_options();

/// Each with the key of the configuration that it sets.
const std::vector<std::pair<std::string, std::string>>& keys_of_film_options();

}  // namespace raven::cli
