#include "config/convert.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "raven/config/nearest.h"
#include "raven/core/error.h"
#include "raven/core/home.h"

namespace raven::config {
namespace {

constexpr std::size_t kMaxShownBytes = 60;
constexpr std::size_t kMaxListItems = 10000;

std::string shown(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return "nothing";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMap:
      return "a group of keys";
    case Node::Kind::kScalar:
      break;
  }
  std::string text = node.text.substr(0, kMaxShownBytes);
  if (text.size() < node.text.size()) text += "...";
  return node.quoted ? "'" + text + "'" : text;
}

/// Fields whose null means all there is say so; then the word does as well.
bool takes_all(const Field& field) {
  return field.optional && field.type != FieldType::kText &&
         field.meaning.find("null: all") != std::string::npos;
}

std::string expected_text(const Field& field) {
  if (field.type == FieldType::kBool || field.type == FieldType::kChoice) return field.type_text();
  const std::string type = "a " + field.type_text() + (takes_all(field) ? " (or all)" : "");
  const bool limited = std::isfinite(field.range.low) || std::isfinite(field.range.high);
  if (field.type == FieldType::kText || !limited) return type;
  if (field.list) return type + ", each " + field.range.text();
  return type + ", " + field.range.text();
}

[[noreturn]] void refuse(const Node& node, const Field& field, const std::string& hint = "") {
  const char* is = node.place.on_command_line() ? "=" : " is ";
  throw ConfigError(fmt::format("{}: {}{}{}, expected {} ({}){}", node.place.text(), field.key, is,
                                shown(node), expected_text(field), field.meaning, hint));
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> parse_number(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::optional<bool> parse_bool(std::string_view text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  return std::nullopt;
}

Scalar convert_text(const Node& node, const Field& field) {
  if (has_control_characters(node.text)) refuse(node, field, "; it holds control characters");
  if (node.text == kRequired && !field.missing()) refuse(node, field, "; give a value for ???");
  return expand_home(node.text);  // whatever starts with ~/ is a path
}

Scalar convert_scalar(const Node& node, const Field& field) {
  if (node.kind != Node::Kind::kScalar) refuse(node, field);
  if (field.type == FieldType::kText) return convert_text(node, field);
  if (field.type == FieldType::kChoice) {
    const auto& choices = field.choices;
    if (std::find(choices.begin(), choices.end(), node.text) == choices.end()) {
      refuse(node, field, did_you_mean(node.text, choices));
    }
    return node.text;
  }
  if (node.quoted) refuse(node, field, "; leave out the quotes");
  if (field.type == FieldType::kBool) {
    const auto value = parse_bool(node.text);
    if (!value) refuse(node, field);
    return *value;
  }
  if (field.type == FieldType::kInteger) {
    const auto value = parse_integer(node.text);
    if (!value || !field.range.contains(static_cast<double>(*value))) refuse(node, field);
    return *value;
  }
  const auto value = parse_number(node.text);
  if (!value || !field.range.contains(*value)) refuse(node, field);
  return *value;
}

// A text that YAML reads back as the same text without quotes.
bool is_plain(std::string_view text) {
  if (text == kRequired) return true;
  if (text.empty() || parse_number(text) || parse_bool(text)) return false;
  if (text == "null" || text == "Null" || text == "NULL") return false;
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '/' || c == '.';
  };
  return letter(text.front()) && std::all_of(text.begin(), text.end(), [&](char c) {
           return letter(c) || c == '-' || c == '+';
         });
}

}  // namespace

std::string text_yaml(const std::string& text) {
  if (is_plain(text)) return text;
  std::string quoted = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"' || text[i] == '\\') quoted += '\\';
    if (text.compare(i, 2, "${") == 0) quoted += '$';  // "$${" is a plain "${"
    quoted += text[i];
  }
  return quoted + '"';
}

FieldValue convert(const Node& node, const Field& field) {
  FieldValue value;
  const bool all = node.kind == Node::Kind::kScalar && node.text == "all" && takes_all(field);
  if ((node.kind == Node::Kind::kNull && field.optional) || all) {
    value.null = true;
  } else if (node.kind == Node::Kind::kList && field.list) {
    if (node.items.size() > kMaxListItems) refuse(node, field);
    for (const Node& item : node.items) value.items.push_back(convert_scalar(item, field));
  } else {
    value.items.push_back(convert_scalar(node, field));
  }
  return value;
}

std::string scalar_text(const Scalar& scalar) {
  if (const auto* flag = std::get_if<bool>(&scalar)) return *flag ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&scalar)) return *text;
  if (const auto* whole = std::get_if<std::int64_t>(&scalar)) return std::to_string(*whole);
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), std::get<double>(scalar)).ptr;
  return {buffer, end};
}

std::string value_yaml(const FieldValue& value, const Field& field) {
  if (value.null) return "null";
  std::string text;
  for (const Scalar& item : value.items) {
    if (!text.empty()) text += ", ";
    text +=
        field.type == FieldType::kText ? text_yaml(std::get<std::string>(item)) : scalar_text(item);
  }
  return field.list && !field.missing() ? "[" + text + "]" : text;
}

}  // namespace raven::config
