// The page's style sheet and its one script.
#pragma once

#include <string_view>

namespace raven::report {

extern const std::string_view kStyle;

/// Shows the values under the pointer; without it the page only lacks that. The page's content
/// security policy allows this script alone, by its hash.
extern const std::string_view kScript;
/// Of kScript: printf '%s' ... | openssl dgst -sha256 -binary | base64.
extern const std::string_view kScriptHash;

}  // namespace raven::report
