// ${a.b}: values that refer to other keys.
#pragma once

#include "config/document.h"
#include "raven/config/schema.h"

namespace raven::config {

/// Replaces every ${key} below `root`. A value that is one ${key} alone takes the whole value,
/// lists and numbers included; inside a longer text the value is inserted. `$${` becomes `${`. A
/// key that no file sets gives the default of `schema`. Throws ConfigError for unknown keys,
/// groups, cycles and texts beyond 4096 bytes.
void interpolate(Node& root, const Schema& schema);

}  // namespace raven::config
