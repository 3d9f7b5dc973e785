// Every field of a configuration as text: key, type, default, range, meaning.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "raven/config/schema.h"

namespace raven::config {

/// For a terminal; only keys at or below one of `prefixes`, when there are any. Throws ConfigError
/// with the nearest key when a prefix names nothing.
std::string describe(const Schema& schema, const std::vector<std::string>& prefixes = {});

/// configs/REFERENCE.md: every key of every stage.
std::string reference_markdown();

/// The fields whose values differ, one a line, in the form `key: left -> right`. Both schemas are
/// of the same struct.
std::string difference(const Schema& left, const Schema& right);

}  // namespace raven::config
