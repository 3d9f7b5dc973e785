// Hypotheses of an utterance as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "raven/evaluation/nbest_list.h"

namespace raven::evaluation {

/// An array of objects; a confidence that is none is null.
nlohmann::ordered_json to_json(const std::vector<Alternative>& alternatives);
/// Empty when it is no such array.
std::optional<std::vector<Alternative>> alternatives_of(const nlohmann::ordered_json& json);
/// Unit ids; empty when it is no array of whole numbers.
std::optional<std::vector<std::int64_t>> units_of(const nlohmann::ordered_json& json);

}  // namespace raven::evaluation
