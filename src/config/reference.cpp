#include "raven/config/reference.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "config/convert.h"
#include "raven/config/nearest.h"
#include "raven/config/stages.h"
#include "raven/core/error.h"

namespace raven::config {
namespace {

bool below(std::string_view key, std::string_view prefix) {
  return key == prefix || (key.size() > prefix.size() &&
                           key.compare(0, prefix.size(), prefix) == 0 && key[prefix.size()] == '.');
}

std::string range_text(const Field& field) {
  const bool limited = std::isfinite(field.range.low) || std::isfinite(field.range.high);
  return limited ? field.range.text() : "";
}

std::string escaped(std::string text) {
  for (std::size_t i = 0; (i = text.find('|', i)) != std::string::npos; i += 2)
    text.insert(i, "\\");
  return text;
}

std::string table_head() {
  return "\n| key | type | default | range | meaning |\n|---|---|---|---|---|\n";
}

std::string table_row(const Field& field) {
  return fmt::format("| `{}` | {} | `{}` | {} | {} |\n", field.key, field.type_text(),
                     value_yaml(field.get(), field), range_text(field), escaped(field.meaning));
}

/// One table for each top-level group.
std::string tables(const Schema& schema) {
  std::string text, group;
  for (const Field& field : schema.fields) {
    const std::string head = field.key.substr(0, field.key.find('.'));
    const bool top = head == field.key;
    const std::string now = top ? "top level" : head;
    if (now != group) {
      group = now;
      text += fmt::format("\n## {}\n", now);
      for (const FieldGroup& each : schema.groups) {
        if (!top && each.key == head) text += fmt::format("\n{}.\n", each.meaning);
      }
      text += table_head();
    }
    text += table_row(field);
  }
  return text;
}

void check_prefixes(const Schema& schema, const std::vector<std::string>& prefixes) {
  std::vector<std::string> known;
  for (const Field& field : schema.fields) known.push_back(field.key);
  for (const FieldGroup& group : schema.groups) known.push_back(group.key);
  for (const std::string& prefix : prefixes) {
    if (std::find(known.begin(), known.end(), prefix) == known.end()) {
      throw ConfigError(fmt::format("unknown key '{}'{}", prefix, did_you_mean(prefix, known)));
    }
  }
}

}  // namespace

std::string describe(const Schema& schema, const std::vector<std::string>& prefixes) {
  if (prefixes == std::vector<std::string>{"over"}) {
    return "over=FILE\n"
           "    lays a file over that of --config, key by key, as an ablation lies over any base:\n"
           "    raven pretrain --config mine.yaml over=ablations/a4_mask_prob_0.4.yaml\n";
  }
  check_prefixes(schema, prefixes);
  std::string text;
  for (const Field& field : schema.fields) {
    const bool wanted = prefixes.empty() ||
                        std::any_of(prefixes.begin(), prefixes.end(),
                                    [&](const auto& prefix) { return below(field.key, prefix); });
    if (!wanted) continue;
    const std::string range = range_text(field);
    text += fmt::format("{} = {}\n    {}{}{}\n    {}\n", field.key, value_yaml(field.get(), field),
                        field.type_text(), range.empty() ? "" : "; ", range, field.meaning);
  }
  return text;
}

std::string reference_markdown() {
  std::string text =
      "# Every key of a configuration\n\n"
      "Written by `raven config describe --markdown` from the structs in include/raven/config; do "
      "not edit. `???` marks a value that must be given.\n\n"
      "A file names others under `base:` (one or a list; read first, overridden key by key) and "
      "refers to other keys with `${a.b}`. On the command line `a.b=c` sets a key, `+a.b=c` sets "
      "one that no file sets, `~a.b` goes back to the default, and `over=other.yaml` lays another "
      "file over what is there (an ablation: `over=ablations/a4_mask_prob_0.4.yaml`). What a file "
      "says under `alone:` holds only where no other file lies below it. `base:` and `over=` look "
      "beside the file that names them or in the working folder, then in the installed configs; "
      "paths of data follow the working folder.\n";
  for (const auto& stage : stages()) {
    text += fmt::format("\n# raven {}: {}\n", stage.name, stage.meaning);
    text += tables(stage.defaults().schema);
  }
  return text;
}

std::string difference(const Schema& left, const Schema& right) {
  std::string text;
  for (const Field& field : left.fields) {
    const Field* other = right.find(field.key);
    RAVEN_CHECK(other != nullptr, "{} exists on one side only", field.key);
    const std::string before = value_yaml(field.get(), field),
                      after = value_yaml(other->get(), *other);
    if (before != after) text += fmt::format("{}: {} -> {}\n", field.key, before, after);
  }
  return text;
}

}  // namespace raven::config
