#include "config/document.h"

#include <spdlog/fmt/fmt.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <sstream>

#include "config/unclosed.h"
#include "raven/core/error.h"

namespace raven::config {
namespace {

/// Often the parser takes an open bracket for a key.
class OpenBracket : public ConfigError {
 public:
  using ConfigError::ConfigError;
};

// Builds the tree from the parser's events and stops the parser at the first thing it refuses.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(const Place& start) : start_(start) {}

  Node take() { return std::move(root_); }
  /// Where the last value begins that is quoted; line 0: there is none.
  [[nodiscard]] const YAML::Mark& last_quoted() const { return last_quoted_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    fail(mark, fmt::format("anchor '&{}' is not supported; refer to a key with ${{a.b}}", name));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail(mark, "aliases (*) are not supported; refer to a key with ${a.b}");
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(mark, "", anchor, Node::Kind::kNull);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (tag == "!") last_quoted_ = mark;
    if (expects_key()) return begin_entry(mark, tag, anchor, value);
    Node& node = add(mark, tag, anchor, Node::Kind::kScalar);
    node.text = value;
    node.quoted = tag == "!";
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(add(mark, tag, anchor, Node::Kind::kList), mark);
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(add(mark, tag, anchor, Node::Kind::kMap), mark);
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  // A list or map that is being filled. Only the innermost one grows, so the pointers stay good.
  struct Open {
    Node* node;
    bool has_key = false;  // of a map: a key was read, its value comes next
  };

  Place place_of(const YAML::Mark& mark) const {
    Place place = start_;
    if (!place.on_command_line()) {
      place.line = mark.line + 1;
      place.column = mark.column + 1;
    }
    return place;
  }

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& message) const {
    throw ConfigError(place_of(mark).text() + ": " + message);
  }

  bool expects_key() const {
    return !open_.empty() && open_.back().node->kind == Node::Kind::kMap && !open_.back().has_key;
  }

  void refuse_extras(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor)
      fail(mark, "anchors (&) are not supported; refer to a key with ${a.b}");
    if (!tag.empty() && tag != "?" && tag != "!") {
      fail(mark, fmt::format("tag '{}' is not supported", tag));
    }
    if (++num_nodes_ > kMaxDocumentNodes) {
      fail(mark,
           fmt::format("more than {} values; this is not a configuration", kMaxDocumentNodes));
    }
  }

  void begin_entry(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                   const std::string& key) {
    refuse_extras(mark, tag, anchor);
    Open& map = open_.back();
    if (const Node* earlier = map.node->find(key)) {
      fail(mark,
           fmt::format("key '{}' is given twice; first in line {}", key, earlier->place.line));
    }
    map.node->entries.push_back({key, place_of(mark), Node{}});
    map.node->entries.back().value.place = place_of(mark);
    map.has_key = true;
  }

  Node& add(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            Node::Kind kind) {
    if (expects_key())
      throw OpenBracket(place_of(mark).text() +
                        ": a key must be a plain word (or is a bracket not closed?)");
    refuse_extras(mark, tag, anchor);
    Node* node = &root_;
    if (!open_.empty()) {
      Open& parent = open_.back();
      if (parent.node->kind == Node::Kind::kMap) {
        node = &parent.node->entries.back().value;
        parent.has_key = false;
      } else {
        node = &parent.node->items.emplace_back();
      }
    }
    node->kind = kind;
    // The parser places a value that is not there at the next token; its key is the better place.
    if (kind != Node::Kind::kNull || !node->place.file) node->place = place_of(mark);
    return *node;
  }

  void open(Node& node, const YAML::Mark& mark) {
    if (open_.size() >= kMaxDepth) fail(mark, fmt::format("nested more than {} deep", kMaxDepth));
    open_.push_back({&node});
  }

  const Place& start_;
  YAML::Mark last_quoted_ = YAML::Mark::null_mark();
  Node root_;
  std::vector<Open> open_;
  std::size_t num_nodes_ = 0;
};

/// Whether the indentation of a line (from 0) holds a tab.
bool has_tab_in_indentation(std::string_view text, int line) {
  for (; line > 0; --line) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find_first_not_of(" \t")).find('\t') != std::string_view::npos;
}

/// `line` and `column` from 1; 0: not known.
[[noreturn]] void fail_at(const Place& start, std::string_view text, int line, int column,
                          const std::string& what) {
  Place place = start;
  std::string tabs;
  if (!place.on_command_line() && line > 0) {
    place.line = line;
    place.column = column;
    // Often the cause, and the parser does not say so; in brackets tabs are allowed.
    if (has_tab_in_indentation(text, line - 1)) {
      tabs =
          "; the line is indented with tabs, which outside brackets YAML does not take for spaces: "
          "write two spaces for each level (`expand -t 2` makes them of tabs)";
    }
  }
  throw ConfigError(fmt::format("{}: not valid YAML: {}{}", place.text(), what, tabs));
}

/// What has no partner, in words that say where and what to do.
[[noreturn]] void fail_unclosed(const Place& start, std::string_view text,
                                const Unclosed& unclosed) {
  if (!start.on_command_line())
    fail_at(start, text, unclosed.line, unclosed.column, unclosed.text());
  throw ConfigError(fmt::format(
      "command line: {}: {}; a shell takes blanks, brackets and quotes for itself: put the whole "
      "word between quotes, 'key=[a, b]'",
      start.override_text.substr(0, 200), unclosed.text()));
}

/// The parser lets the last quote of a document stay open.
void refuse_open_quote(const Place& start, std::string_view text, const YAML::Mark& last_quoted) {
  if (last_quoted.is_null()) return;
  const auto unclosed = find_unclosed(text);
  const bool is_quote = unclosed && (unclosed->character == '"' || unclosed->character == '\'');
  if (is_quote && unclosed->line == last_quoted.line + 1 &&
      unclosed->column == last_quoted.column + 1)
    fail_unclosed(start, text, *unclosed);
}

void check_bytes(std::string_view text, const Place& start) {
  if (text.size() > kMaxDocumentBytes) {
    throw ConfigError(fmt::format("{}: {} bytes, expected at most {}; this is not a configuration",
                                  start.text(), text.size(), kMaxDocumentBytes));
  }
  if (text.find('\0') != std::string_view::npos) {
    throw ConfigError(fmt::format("{}: holds a zero byte; this is not YAML text", start.text()));
  }
}

}  // namespace

std::string Place::text() const {
  if (on_command_line()) return "command line";
  if (!file) return "default";
  return line == 0 ? *file : fmt::format("{}:{}:{}", *file, line, column);
}

Node* Node::find(std::string_view key) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &found->value;
}

const Node* Node::find(std::string_view key) const { return const_cast<Node*>(this)->find(key); }

const Node* Node::find_path(std::string_view key) const {
  const Node* node = this;
  while (node != nullptr) {
    const auto dot = key.find('.');
    node = node->find(key.substr(0, dot));
    if (dot == std::string_view::npos) break;
    key.remove_prefix(dot + 1);
  }
  return node;
}

Node parse_document(std::string_view given, const Place& start) {
  check_bytes(given, start);
  std::string text(given);
  if (!start.on_command_line() && text.find('\n') == std::string::npos) {
    std::ranges::replace(text, '\r', '\n');  // old Mac lines; the parser would see but one of them
  }
  std::istringstream stream{text};
  Builder builder(start);
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    refuse_open_quote(start, text, builder.last_quoted());
    Node root = builder.take();
    Builder second(start);
    if (parser.HandleNextDocument(second)) {
      throw ConfigError(start.text() + ": holds more than one YAML document");
    }
    return root;
  } catch (const YAML::Exception& error) {
    if (const auto unclosed = find_unclosed(text)) fail_unclosed(start, text, *unclosed);
    const bool placed = !error.mark.is_null();
    fail_at(start, text, placed ? error.mark.line + 1 : 0, placed ? error.mark.column + 1 : 0,
            error.msg);
  } catch (const OpenBracket& error) {
    if (const auto unclosed = find_unclosed(text)) fail_unclosed(start, text, *unclosed);
    throw ConfigError(error.what());
  }
}

void merge(Node& lower, Node&& upper) {
  if (lower.kind != Node::Kind::kMap || upper.kind != Node::Kind::kMap) {
    // An empty group ("mask:") changes nothing.
    if (lower.kind == Node::Kind::kMap && upper.kind == Node::Kind::kNull) return;
    lower = std::move(upper);
    return;
  }
  for (Node::Entry& entry : upper.entries) {
    if (Node* existing = lower.find(entry.key)) {
      merge(*existing, std::move(entry.value));
    } else {
      lower.entries.push_back(std::move(entry));
    }
  }
}

}  // namespace raven::config
