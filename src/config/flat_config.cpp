#include "raven/config/flat_config.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>

#include <variant>
#include <vector>

#include "raven/core/utf8.h"

namespace raven::config {

FlatConfig flatten(const Schema& schema, const std::string& prefix) {
  const auto text_of = [](const Scalar& scalar) {
    return std::visit([](const auto& value) { return fmt::format("{}", value); }, scalar);
  };
  FlatConfig flat;
  for (const auto& field : schema.fields) {
    const auto value = field.get();
    std::vector<std::string> items;
    for (const auto& item : value.items) items.push_back(text_of(item));
    const auto text = fmt::format("{}", fmt::join(items, ", "));
    flat[prefix + field.key] = as_utf8(value.null ? "null" : field.list ? "[" + text + "]" : text);
  }
  return flat;
}

}  // namespace raven::config
