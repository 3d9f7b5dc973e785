#include "raven/config/schema.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

namespace raven::config {

bool Range::contains(double value) const {
  if (!std::isfinite(value)) return false;
  const bool above_low = low_open ? value > low : value >= low;
  const bool below_high = high_open ? value < high : value <= high;
  return above_low && below_high;
}

std::string Range::text() const {
  const bool has_low = std::isfinite(low), has_high = std::isfinite(high);
  if (has_low && has_high) {
    return fmt::format("a value in {}{}, {}{}", low_open ? '(' : '[', low, high,
                       high_open ? ')' : ']');
  }
  if (has_low) return fmt::format("{} {}", low_open ? "above" : "at least", low);
  if (has_high) return fmt::format("{} {}", high_open ? "below" : "at most", high);
  return "any number";
}

bool Field::missing() const {
  if (type != FieldType::kText) return false;
  const FieldValue value = get();
  return value.items.size() == 1 && std::get<std::string>(value.items.front()) == kRequired;
}

std::string Field::type_text() const {
  std::string text;
  switch (type) {
    case FieldType::kBool:
      text = "true or false";
      break;
    case FieldType::kInteger:
      text = list ? "whole numbers" : "whole number";
      break;
    case FieldType::kNumber:
      text = list ? "numbers" : "number";
      break;
    case FieldType::kText:
      text = list ? "texts" : "text";
      break;
    case FieldType::kChoice:
      text = fmt::format("one of: {}", fmt::join(choices, ", "));
      break;
  }
  if (list) text = "list of " + text;
  return optional ? text + ", or null" : text;
}

const Field* Schema::find(std::string_view key) const {
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [&](const Field& field) { return field.key == key; });
  return found == fields.end() ? nullptr : &*found;
}

bool Schema::has_group(std::string_view key) const {
  return std::any_of(groups.begin(), groups.end(),
                     [&](const FieldGroup& group) { return group.key == key; });
}

}  // namespace raven::config
