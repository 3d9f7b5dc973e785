#include "raven/config/json.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <variant>
#include <vector>

#include "core/parse_json.h"
#include "raven/core/utf8.h"

namespace raven::config {
namespace {

using Json = nlohmann::ordered_json;

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

/// Text as a file of configuration has it, where "${" would refer to another key.
Json json_of(const Scalar& scalar) {
  return std::visit(
      [](const auto& value) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>)
          return replaced(as_utf8(value), "${", "$${");
        else
          return value;
      },
      scalar);
}

Json json_of(const Field& field) {
  const auto value = field.get();
  if (value.null) return nullptr;
  if (!field.list) return json_of(value.items.front());
  auto list = Json::array();
  for (const auto& item : value.items) list.push_back(json_of(item));
  return list;
}

/// As flatten() spells it.
std::string text_of(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_number_float()) return fmt::format("{}", value.get<double>());
  if (value.is_string()) return replaced(value.get<std::string>(), "$${", "${");
  if (!value.is_array()) return value.dump();
  std::vector<std::string> items;
  for (const auto& item : value) items.push_back(text_of(item));
  return fmt::format("[{}]", fmt::join(items, ", "));
}

void add(const Json& group, const std::string& prefix, FlatConfig& flat) {
  for (const auto& [key, value] : group.items()) {
    if (value.is_object())
      add(value, prefix + key + ".", flat);
    else
      flat[prefix + key] = text_of(value);
  }
}

}  // namespace

std::string to_json(const Schema& schema) {
  auto json = Json::object();
  for (const auto& field : schema.fields) {
    Json* group = &json;
    std::size_t begin = 0;
    for (auto dot = field.key.find('.'); dot != std::string::npos;
         dot = field.key.find('.', begin)) {
      group = &(*group)[field.key.substr(begin, dot - begin)];
      begin = dot + 1;
    }
    (*group)[field.key.substr(begin)] = json_of(field);
  }
  return json.dump(2) + "\n";
}

FlatConfig flat_of_json(std::string_view text) {
  FlatConfig flat;
  const auto json = parse_json<Json>(text);
  if (json.is_object()) add(json, "", flat);
  return flat;
}

}  // namespace raven::config
