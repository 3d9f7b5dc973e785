// The environment of the process.
#pragma once

#include <map>
#include <string>

namespace raven {

/// Variables by name; one that is not set is not in it.
using Variables = std::map<std::string, std::string, std::less<>>;

Variables read_variables();

}  // namespace raven
