// The user's home folder in paths that no shell has seen.
#pragma once

#include <string>
#include <string_view>

namespace raven {

/// `~/x` as a path below the home folder ($HOME), which a shell makes of it only where it stands
/// alone: not in `key=~/x`, in a configuration or in a list. Everything else stays as it is; a
/// folder that is really called ~ can be given as ./~. Throws ConfigError when HOME is not set.
std::string expand_home(std::string_view path);

}  // namespace raven
