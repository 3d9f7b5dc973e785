#include "config/interpolate.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <map>

#include "config/convert.h"
#include "raven/config/nearest.h"
#include "raven/core/error.h"

namespace raven::config {
namespace {

constexpr std::size_t kMaxTextBytes = 4096;

class Interpolator {
 public:
  Interpolator(const Node& root, const Schema& schema) : root_(root), schema_(schema) {}

  // `node` with every reference replaced.
  Node resolved(const Node& node) {
    Node copy = node;
    if (node.kind == Node::Kind::kScalar) {
      resolve_scalar(copy);
    }
    for (Node& item : copy.items) item = resolved(item);
    for (Node::Entry& entry : copy.entries) entry.value = resolved(entry.value);
    return copy;
  }

 private:
  [[noreturn]] static void fail(const Node& node, const std::string& message) {
    throw ConfigError(fmt::format("{}: {}", node.place.text(), message));
  }

  void resolve_scalar(Node& node) {
    const std::string& text = node.text;
    if (text.find("${") == std::string::npos) return;
    const auto whole_end = text.find('}');
    if (text.compare(0, 2, "${") == 0 && whole_end == text.size() - 1) {
      const Place place = node.place;
      node = value_of(text.substr(2, text.size() - 3), node);
      node.place = place;
      return;
    }
    node.text = inserted(node);
    node.quoted = true;  // a text, whatever was put into it
  }

  std::string inserted(const Node& node) {
    const std::string& text = node.text;
    std::string result;
    for (std::size_t i = 0; i < text.size();) {
      if (text.compare(i, 3, "$${") == 0) {
        result += "${";
        i += 3;
      } else if (text.compare(i, 2, "${") == 0) {
        const auto end = text.find('}', i);
        if (end == std::string::npos) fail(node, fmt::format("'{}' has no closing brace", text));
        const std::string key = text.substr(i + 2, end - i - 2);
        const Node value = value_of(key, node);
        if (value.kind != Node::Kind::kScalar) {
          fail(node,
               fmt::format("${{{}}} is not a single value, so it cannot be part of a text", key));
        }
        result += value.text;
        i = end + 1;
      } else {
        result += text[i++];
      }
      if (result.size() > kMaxTextBytes) {
        fail(node, fmt::format("grows beyond {} bytes by ${{...}}", kMaxTextBytes));
      }
    }
    return result;
  }

  // The final value of `key`; `user` is the node that refers to it.
  Node value_of(const std::string& key, const Node& user) {
    if (const auto done = done_.find(key); done != done_.end()) return done->second;
    if (std::find(chain_.begin(), chain_.end(), key) != chain_.end()) {
      fail(user,
           fmt::format("${{{}}} refers to itself: {} -> {}", key, fmt::join(chain_, " -> "), key));
    }
    const Field* field = schema_.find(key);
    if (field == nullptr) {
      if (schema_.has_group(key)) fail(user, fmt::format("${{{}}} is a group, not a value", key));
      std::vector<std::string> known;
      for (const Field& each : schema_.fields) known.push_back(each.key);
      fail(user, fmt::format("${{{}}} refers to an unknown key{}", key, did_you_mean(key, known)));
    }
    chain_.push_back(key);
    const Node* set = root_.find_path(key);
    Node value = set != nullptr ? resolved(*set) : default_of(*field);
    chain_.pop_back();
    if (value.kind == Node::Kind::kScalar && value.text == kRequired) {
      fail(user, fmt::format("${{{}}} has no value yet; give {}=...", key, key));
    }
    done_.emplace(key, value);
    return value;
  }

  static Node default_of(const Field& field) {
    const FieldValue value = field.get();
    const auto scalar = [&](const Scalar& item) {
      Node node;
      node.kind = Node::Kind::kScalar;
      node.text = scalar_text(item);
      return node;
    };
    Node node;
    if (value.null) return node;
    if (!field.list || field.missing()) return scalar(value.items.front());
    node.kind = Node::Kind::kList;
    for (const Scalar& item : value.items) node.items.push_back(scalar(item));
    return node;
  }

  const Node& root_;
  const Schema& schema_;
  std::vector<std::string> chain_;    // keys whose values are being worked out
  std::map<std::string, Node> done_;  // so that shared references cost nothing twice
};

}  // namespace

void interpolate(Node& root, const Schema& schema) {
  const Node original = root;
  Interpolator interpolator(original, schema);
  root = interpolator.resolved(original);
}

}  // namespace raven::config
