// A configuration as JSON: what is kept beside what was made with it.
#pragma once

#include <string>
#include <string_view>

#include "raven/config/flat_config.h"
#include "raven/config/schema.h"

namespace raven::config {

/// Nested groups with values of their own types. It is YAML as well, so load() reads it.
std::string to_json(const Schema& schema);
template <class Config>
std::string to_json(Config config) {
  return to_json(bind(config));
}

/// The same as flatten() gives, from to_json() or from an object of texts under dotted keys, as
/// earlier versions wrote. Empty for anything else.
FlatConfig flat_of_json(std::string_view json);

}  // namespace raven::config
