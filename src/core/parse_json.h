// JSON that others have written.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "raven/core/json_nesting.h"

namespace raven {

/// Nothing that raven reads nests deeper than a few levels.
inline constexpr std::size_t kMaxJsonNesting = 64;

/// `text` as JSON; is_discarded() when it is none, and when it nests deeper than `max_nesting`:
/// the library reads any depth, but copies, compares and writes by recursion, so that a few
/// megabytes of '[' would end the stack.
template <class Json = nlohmann::json>
Json parse_json(std::string_view text, std::size_t max_nesting = kMaxJsonNesting) {
  if (json_nesting(text) > max_nesting) return Json(Json::value_t::discarded);
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

}  // namespace raven
