// From a YAML node to the value of a field, checked for type and range.
#pragma once

#include <string>

#include "config/document.h"
#include "raven/config/schema.h"

namespace raven::config {

/// The value of `field`. Throws ConfigError: place, what was found, type and range expected,
/// meaning.
FieldValue convert(const Node& node, const Field& field);

/// A scalar as YAML and messages spell it; numbers in the shortest form that reads back the same.
std::string scalar_text(const Scalar& scalar);

/// A text, in quotes where YAML would read another value.
std::string text_yaml(const std::string& text);

/// Whole value: "null", "0.2", "[64, 128]"; texts are quoted where YAML needs it.
std::string value_yaml(const FieldValue& value, const Field& field);

}  // namespace raven::config
