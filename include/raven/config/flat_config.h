// A configuration as keys and values.
#pragma once

#include <map>
#include <string>

#include "raven/config/schema.h"

namespace raven::config {

/// key.path -> value, spelled as on the command line.
using FlatConfig = std::map<std::string, std::string>;

/// All fields; `prefix` stands before each key. They are kept in JSON, so text that is not UTF-8
/// (of paths) is written with %XX (as_utf8).
FlatConfig flatten(const Schema& schema, const std::string& prefix = "");
template <class Config>
FlatConfig flatten(Config config, const std::string& prefix = "") {
  return flatten(bind(config), prefix);
}

}  // namespace raven::config
