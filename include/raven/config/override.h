// Overrides as a command line gives them, made by a program: "key.path=value".
#pragma once

#include <string>
#include <vector>

namespace raven::config {

/// "run.dir=runs/a": sets `key` to `text` whatever that holds.
std::string text_override(const std::string& key, const std::string& text);

/// "data.manifest=[a.tsv, b.tsv]", the same of a list of texts.
std::string list_override(const std::string& key, const std::vector<std::string>& texts);

}  // namespace raven::config
