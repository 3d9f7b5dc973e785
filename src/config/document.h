// A YAML document as a tree in which every node knows its place. Built from yaml-cpp's events, so
// that limits hold while parsing and not after it. Anchors, aliases and tags are refused.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace raven::config {

inline constexpr std::size_t kMaxDocumentBytes = 1 << 20;
inline constexpr std::size_t kMaxDocumentNodes = 20000;
inline constexpr std::size_t kMaxDepth = 16;

/// Where a node was written.
struct Place {
  std::shared_ptr<const std::string> file;  // null: nowhere
  int line = 0;                             // from 1; 0: a whole file
  int column = 0;
  std::string override_text;  // an argument like "mask.prob=1.4"; then file is null

  [[nodiscard]] bool on_command_line() const { return !override_text.empty(); }
  /// "configs/lrs3.yaml:4:9", "command line"
  [[nodiscard]] std::string text() const;
};

struct Node {
  enum class Kind { kNull, kScalar, kList, kMap };
  struct Entry;

  Kind kind = Kind::kNull;
  std::string text;     // kScalar
  bool quoted = false;  // kScalar; always a text then
  std::vector<Node> items;
  std::vector<Entry> entries;  // in the order of the file
  Place place;

  [[nodiscard]] Node* find(std::string_view key);
  [[nodiscard]] const Node* find(std::string_view key) const;
  /// The node of a dotted key, or null.
  [[nodiscard]] const Node* find_path(std::string_view key) const;
};

struct Node::Entry {
  std::string key;
  Place place;
  Node value;
};

/// Parses one YAML document; an empty one gives kNull. Throws ConfigError with the place.
Node parse_document(std::string_view text, const Place& start);

/// `upper` over `lower`: maps key by key, anything else replaced.
void merge(Node& lower, Node&& upper);

/// Applies one command-line override (`a.b=c`, `+a.b=c`, `~a.b`). Throws ConfigError.
void apply_override(Node& root, const std::string& text);

}  // namespace raven::config
