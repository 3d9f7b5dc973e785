#include "raven/config/override.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "config/convert.h"
#include "config/document.h"
#include "raven/core/error.h"

namespace raven::config {
namespace {

constexpr std::size_t kMaxOverrideBytes = 1 << 16;

[[noreturn]] void fail(const std::string& text, const std::string& message) {
  throw ConfigError(fmt::format("command line: '{}': {}", text.substr(0, 200), message));
}

std::vector<std::string> split_key(const std::string& text, std::string_view key) {
  std::vector<std::string> parts(1);
  for (const char c : key) {
    if (c == '.') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  const bool empty =
      std::any_of(parts.begin(), parts.end(), [](const std::string& part) { return part.empty(); });
  if (empty || parts.size() > kMaxDepth) fail(text, "expected key.path=value");
  return parts;
}

// A chain of maps down to the value, so that merge() does the work.
Node nest(const std::vector<std::string>& parts, Node value) {
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    Node map;
    map.kind = Node::Kind::kMap;
    map.place = value.place;
    map.entries.push_back({*part, value.place, std::move(value)});
    value = std::move(map);
  }
  return value;
}

void remove(Node& root, const std::vector<std::string>& parts) {
  Node* group = &root;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    group = group->find(parts[i]);
    if (group == nullptr) return;
  }
  auto& entries = group->entries;
  entries.erase(std::remove_if(entries.begin(), entries.end(),
                               [&](const Node::Entry& entry) { return entry.key == parts.back(); }),
                entries.end());
}

}  // namespace

void apply_override(Node& root, const std::string& text) {
  if (text.size() > kMaxOverrideBytes) fail(text, "longer than 65536 bytes");
  std::string_view rest = text;
  const char sign = rest.empty() ? '\0' : rest.front();
  if (sign == '+' || sign == '~') rest.remove_prefix(1);
  const auto equals = rest.find('=');
  const auto parts = split_key(text, rest.substr(0, equals));

  if (sign == '~') {
    if (equals != std::string_view::npos) fail(text, "removing takes no value: write ~key.path");
    return remove(root, parts);
  }
  if (equals == std::string_view::npos) fail(text, "expected key.path=value");
  if (sign == '+') {
    if (const Node* set = root.find_path(rest.substr(0, equals))) {
      fail(text,
           fmt::format("{} already sets it; leave out the '+' to change it", set->place.text()));
    }
  }
  Place place;
  place.override_text = text;
  const std::string_view value = rest.substr(equals + 1);
  Node node;
  if (value.empty()) {  // a.b= is the empty text, as a shell user means it
    node.kind = Node::Kind::kScalar;
    node.quoted = true;
  } else {
    node = parse_document(value, place);
  }
  node.place = place;
  if (root.kind == Node::Kind::kNull) root.kind = Node::Kind::kMap;
  merge(root, nest(parts, std::move(node)));
}

std::string text_override(const std::string& key, const std::string& text) {
  return key + "=" + text_yaml(text);
}

std::string list_override(const std::string& key, const std::vector<std::string>& texts) {
  std::vector<std::string> items;
  for (const auto& text : texts) items.push_back(text_yaml(text));
  return fmt::format("{}=[{}]", key, fmt::join(items, ", "));
}

}  // namespace raven::config
