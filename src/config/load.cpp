#include "raven/config/load.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <system_error>

#include "config/convert.h"
#include "config/document.h"
#include "config/interpolate.h"
#include "raven/config/nearest.h"
#include "raven/config/stages.h"
#include "raven/core/error.h"
#include "raven/core/files.h"

namespace raven::config {
namespace detail {

struct Input {
  std::string name;  // the file asked for; may be empty
  Node root;
  std::vector<std::string> overrides;
};

void InputDeleter::operator()(Input* input) const noexcept { delete input; }

}  // namespace detail

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kAlone = "alone";
constexpr int kMaxFiles = 64;
constexpr std::size_t kMaxProblems = 20;

Place start_of(const std::string& name) {
  Place place;
  place.file = std::make_shared<const std::string>(name);
  return place;
}

/// `node` as the texts of a value that is one or a list of them.
std::vector<Node> items_of(const Node& node) {
  return node.kind == Node::Kind::kList ? node.items : std::vector{node};
}

// Reads a file and, below it, what its `base` names.
class FileReader {
 public:
  /// `lowest`: no other file lies below this one, so that its `alone` holds.
  Node read(const fs::path& file, bool lowest = true) {
    std::error_code error;
    fs::path identity = fs::weakly_canonical(file, error);
    if (error) identity = file;
    if (std::find(open_.begin(), open_.end(), identity) != open_.end()) {
      throw ConfigError(fmt::format("{}: is its own base", file.string()));
    }
    if (++num_files_ > kMaxFiles) {
      throw ConfigError(fmt::format("{}: more than {} base files", file.string(), kMaxFiles));
    }
    open_.push_back(identity);
    Node node = with_bases(parse_document(content(file), start_of(file.string())), file, lowest);
    open_.pop_back();
    return node;
  }

  Node with_bases(Node node, const fs::path& file, bool lowest = true) {
    if (node.kind == Node::Kind::kNull) node.kind = Node::Kind::kMap;
    if (node.kind != Node::Kind::kMap) {
      throw ConfigError(
          fmt::format("{}: expected keys and values ('key: value')", node.place.text()));
    }
    Node lower;
    lower.kind = Node::Kind::kMap;
    if (auto alone = take(node, kAlone)) {
      if (alone->kind != Node::Kind::kMap) {
        throw ConfigError(alone->place.text() +
                          ": alone expects keys and values, which hold where no other file lies "
                          "below this one");
      }
      if (lowest) merge(lower, with_bases(std::move(*alone), file));
    }
    if (const auto base = take(node, "base")) {
      for (const Node& name : items_of(*base))
        merge(lower, read(base_file(name, file), lowest && lower.entries.empty()));
    }
    merge(lower, std::move(node));
    return lower;
  }

 private:
  /// Takes an entry out of a map.
  static std::optional<Node> take(Node& node, std::string_view key) {
    const auto found = std::find_if(node.entries.begin(), node.entries.end(),
                                    [&](const Node::Entry& entry) { return entry.key == key; });
    if (found == node.entries.end()) return std::nullopt;
    auto value = std::move(found->value);
    node.entries.erase(found);
    return value;
  }

  static std::string content(const fs::path& file) {
    try {
      return read_file(file, kMaxDocumentBytes, FileKind::kAny);
    } catch (const Error& error) {
      throw ConfigError(error.what());
    }
  }

  static fs::path base_file(const Node& name, const fs::path& file) {
    if (name.kind != Node::Kind::kScalar || name.text.empty()) {
      throw ConfigError(name.place.text() + ": base expects a file name, or a list of them");
    }
    std::error_code error;
    const fs::path beside = file.parent_path() / name.text;
    if (fs::is_regular_file(beside, error)) return beside;
    try {
      fs::path found = find_config(name.text);
      if (!fs::is_regular_file(found, error)) {  // a pipe or device could keep us waiting for ever
        throw ConfigError(found.string() + ": is not a regular file");
      }
      return found;
    } catch (const ConfigError& cause) {
      throw ConfigError(fmt::format("{}: base {}", name.place.text(), cause.what()));
    }
  }

  std::vector<fs::path> open_;  // files whose bases are being read
  int num_files_ = 0;
};

// Puts a tree into a schema and collects what does not fit.
class Filler {
 public:
  Filler(const Schema& schema, std::string name) : schema_(schema), name_(std::move(name)) {}

  void fill(const Node& root) { walk(root, ""); }

  void require_all(const Node& root) {
    for (const Field& field : schema_.fields) {
      if (!field.missing()) continue;
      const Node* set = root.find_path(field.key);
      const std::string place = set != nullptr  ? set->place.text() + ": "
                                : name_.empty() ? ""
                                                : name_ + ": ";
      add(fmt::format("{}{} must be given ({}); for example on the command line: {}=...", place,
                      field.key, field.meaning, field.key));
    }
  }

  // "~key" must name a key too, although nothing of it is left in the tree.
  void check_removals(const std::vector<std::string>& overrides) {
    for (const std::string& text : overrides) {
      if (text.empty() || text.front() != '~') continue;
      const std::string key = text.substr(1);
      if (schema_.find(key) != nullptr || schema_.has_group(key)) continue;
      Place place;
      place.override_text = text;
      unknown(key, place);
    }
  }

  /// `other`: what the file is instead, empty where it is none of another kind.
  void finish(const std::string& other) const {
    if (problems_.empty()) return;
    if (!other.empty()) throw ConfigError(other);
    std::string text = fmt::format("{}", fmt::join(problems_, "\n"));
    if (dropped_ > 0) text += fmt::format("\nand {} more problems", dropped_);
    throw ConfigError(text);
  }

 private:
  void add(std::string problem) {
    if (problems_.size() < kMaxProblems) {
      problems_.push_back(std::move(problem));
    } else {
      ++dropped_;
    }
  }

  void walk(const Node& group, const std::string& prefix) {
    for (const Node::Entry& entry : group.entries) {
      const std::string key = prefix + entry.key;
      if (entry.key.find('.') != std::string::npos) {
        unknown(key, entry.place);
      } else if (const Field* field = schema_.find(key)) {
        set(*field, entry.value);
      } else if (schema_.has_group(key)) {
        enter(key, entry.value);
      } else {
        unknown(key, entry.place);
      }
    }
  }

  void set(const Field& field, const Node& node) {
    try {
      field.set(convert(node, field));
    } catch (const ConfigError& error) {
      add(error.what());
    }
  }

  void enter(const std::string& key, const Node& node) {
    if (node.kind == Node::Kind::kMap) {
      walk(node, key + ".");
    } else if (node.kind != Node::Kind::kNull) {
      add(fmt::format("{}: {} is a group of keys, not a value", node.place.text(), key));
    }
  }

  void unknown(const std::string& key, const Place& place) {
    std::vector<std::string> known;
    for (const Field& field : schema_.fields) known.push_back(field.key);
    for (const FieldGroup& group : schema_.groups) known.push_back(group.key);
    const bool dotted = std::find(known.begin(), known.end(), key) != known.end();
    add(fmt::format(
        "{}: unknown key '{}'{}", place.text(), key.substr(0, 200),
        dotted ? "; in a file keys are nested, not joined by dots" : did_you_mean(key, known)));
  }

  const Schema& schema_;
  std::string name_;
  std::vector<std::string> problems_;
  std::size_t dropped_ = 0;
};

constexpr std::string_view kOver = "over=";

/// Lays the files that `over=a.yaml` or `over=[a.yaml, b.yaml]` names over what is there.
void lay_over(Node& root, const std::string& text) {
  Place place;
  place.override_text = text;
  for (const Node& name : items_of(parse_document(text.substr(kOver.size()), place))) {
    if (name.kind != Node::Kind::kScalar || name.text.empty())
      throw ConfigError(fmt::format(
          "command line: '{}': over expects a file name, or a list of them", text.substr(0, 200)));
    merge(root, FileReader().read(find_config(name.text), /*lowest=*/false));
  }
}

detail::InputHandle with_overrides(Node root, const std::string& name,
                                   const std::vector<std::string>& overrides) {
  for (const std::string& text : overrides) {
    if (text.starts_with(kOver)) {
      lay_over(root, text);
    } else {
      apply_override(root, text);
    }
  }
  return detail::InputHandle(new detail::Input{name, std::move(root), overrides});
}

/// Of a file whose keys another stage has all, and this one not: what it is, and how it is run. A
/// single unknown key is rather a slip.
std::string other_stage(const detail::Input& input, const Schema& schema) {
  constexpr std::int64_t kFewest = 2;
  if (input.name.empty() || detail::unknown_keys(input, schema, true) < kFewest) return {};
  for (const auto& stage : stages()) {
    if (detail::unknown_keys(input, stage.defaults().schema, true) > 0) continue;
    return fmt::format("{}: this configures {}; run it with: raven {} --config {}", input.name,
                       stage.meaning, stage.name, input.name);
  }
  return {};
}

}  // namespace

bool is_ablation(const fs::path& file) {
  const auto found = find_config(file);
  const auto node =
      parse_document(read_file(found, kMaxDocumentBytes, FileKind::kAny), start_of(found.string()));
  return std::ranges::any_of(node.entries, [](const auto& entry) { return entry.key == kAlone; });
}

namespace detail {

InputHandle read_input(const fs::path& file, const std::vector<std::string>& overrides) {
  Node root;
  root.kind = Node::Kind::kMap;
  fs::path found;
  if (!file.empty()) {
    found = find_config(file);
    root = FileReader().read(found);
  }
  return with_overrides(std::move(root), found.string(), overrides);
}

InputHandle read_input_text(std::string_view text, const std::string& name,
                            const std::vector<std::string>& overrides) {
  Node root = FileReader().with_bases(parse_document(text, start_of(name)), name);
  return with_overrides(std::move(root), name, overrides);
}

void fill(const Input& input, const Schema& schema, const LoadOptions& options) {
  Node root;
  root.kind = Node::Kind::kMap;
  for (const std::string& text : options.defaults) apply_override(root, text);
  merge(root, Node(input.root));
  interpolate(root, schema);
  Filler filler(schema, input.name);
  filler.fill(root);
  filler.check_removals(input.overrides);
  if (!options.allow_missing) filler.require_all(root);
  filler.finish(other_stage(input, schema));
}

std::int64_t unknown_keys(const Input& input, const Schema& schema, bool of_files_alone) {
  std::int64_t unknown = 0;
  const std::function<void(const Node&, const std::string&)> walk = [&](const Node& group,
                                                                        const std::string& prefix) {
    for (const Node::Entry& entry : group.entries) {
      const std::string key = prefix + entry.key;
      if (schema.find(key) != nullptr) continue;
      if (!schema.has_group(key) && !(of_files_alone && entry.place.on_command_line())) ++unknown;
      if (entry.value.kind == Node::Kind::kMap) walk(entry.value, key + ".");
    }
  };
  walk(input.root, "");
  return unknown;
}

void check_rules(const Input& input, const std::function<void()>& check) {
  try {
    check();
  } catch (const RuleError& error) {
    const Node* set = input.root.find_path(error.key());
    std::string place = set != nullptr ? set->place.text() : input.name;
    if (!place.empty()) place += ": ";
    throw ConfigError(place + error.what());
  }
}

std::string write_yaml(const Schema& schema) {
  std::string yaml, open;  // open: the group that the last line stands in
  for (const Field& field : schema.fields) {
    const auto last_dot = field.key.rfind('.');
    const std::string group = last_dot == std::string::npos ? "" : field.key.substr(0, last_dot);
    // Opens each group of the path that is not open yet.
    for (std::size_t end = 0; !group.empty() && end != std::string::npos;) {
      end = group.find('.', end == 0 ? 0 : end + 1);
      const std::string path = group.substr(0, end);
      if (open == path || open.rfind(path + ".", 0) == 0) continue;
      const auto depth = static_cast<std::size_t>(std::count(path.begin(), path.end(), '.'));
      yaml += fmt::format("{}{}:\n", std::string(2 * depth, ' '), path.substr(path.rfind('.') + 1));
    }
    open = group;
    const auto depth =
        static_cast<std::size_t>(std::count(field.key.begin(), field.key.end(), '.'));
    yaml += fmt::format("{}{}: {}\n", std::string(2 * depth, ' '), field.key.substr(last_dot + 1),
                        value_yaml(field.get(), field));
  }
  return yaml;
}

}  // namespace detail
}  // namespace raven::config
