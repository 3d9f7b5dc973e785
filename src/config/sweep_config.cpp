#include "raven/config/sweep_config.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <set>

#include "config/convert.h"
#include "config/document.h"
#include "raven/config/finetune_config.h"
#include "raven/config/load.h"
#include "raven/config/nearest.h"
#include "raven/config/pretrain_config.h"
#include "raven/core/error.h"
#include "raven/core/files.h"

namespace raven::config {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostNameBytes = 100;
constexpr const char* kNameCharacters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-";

[[noreturn]] void fail(const Place& place, const std::string& message) {
  throw ConfigError(place.text() + ": " + message);
}

/// As an override's value is written: inside brackets, what would end an item is quoted.
std::string value_text(const Node& node, bool in_brackets = false) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return "null";
    case Node::Kind::kScalar: {
      const bool plain = !node.quoted && (!in_brackets || node.text.find_first_of(",[]{}:#\n") ==
                                                              std::string::npos);
      if (plain) return node.text;
      std::string quoted = "'";
      for (const char c : node.text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
      return quoted + "'";
    }
    case Node::Kind::kList: {
      std::vector<std::string> items;
      for (const Node& item : node.items) items.push_back(value_text(item, true));
      return fmt::format("[{}]", fmt::join(items, ", "));
    }
    case Node::Kind::kMap: {
      std::vector<std::string> items;
      for (const auto& entry : node.entries)
        items.push_back(entry.key + ": " + value_text(entry.value, true));
      return fmt::format("{{{}}}", fmt::join(items, ", "));
    }
  }
  return {};
}

std::string text_of(const Node& node, const std::string& key, const std::string& expected) {
  if (node.kind != Node::Kind::kScalar || node.text.empty()) {
    fail(node.place, fmt::format("{} expects {}", key, expected));
  }
  return node.text;
}

/// One text or a list of them; none for null.
std::vector<std::string> override_list(const Node& node, const std::string& key) {
  const auto one = [&](const Node& item) {
    auto text = text_of(item, key, "overrides like mask.prob=0.1, one or a list of them");
    if (text.find('=') == std::string::npos && text.front() != '~') {
      fail(item.place,
           fmt::format("{}: '{}' is no override, expected one like mask.prob=0.1", key, text));
    }
    return text;
  };
  std::vector<std::string> texts;
  if (node.kind == Node::Kind::kScalar) texts.push_back(one(node));
  if (node.kind == Node::Kind::kMap) {
    fail(node.place, fmt::format("{} expects overrides as text: [mask.prob=0.1]", key));
  }
  for (const Node& item : node.items) texts.push_back(one(item));
  return texts;
}

void check_name(const std::string& name, const Place& place) {
  if (!name.empty() && name.size() <= kMostNameBytes && name.front() != '.' &&
      name.front() != '-' && name.find_first_not_of(kNameCharacters) == std::string::npos) {
    return;
  }
  fail(place, fmt::format(
                  "the run's name '{}' becomes a folder's: expected at most {} letters, digits and "
                  "._+-, not . or - at the start",
                  name.substr(0, kMostNameBytes), kMostNameBytes));
}

/// What may stand in a folder's name of a value: "[64, 128]" -> "64_128".
std::string name_of_value(const std::string& value) {
  std::string name;
  for (const char c : value) {
    const bool kept = std::string_view(kNameCharacters).find(c) != std::string_view::npos;
    if (kept) name += c;
    if (!kept && !name.empty() && name.back() != '_') name += '_';
  }
  while (!name.empty() && name.back() == '_') name.pop_back();
  return name.empty() ? "empty" : name;
}

/// The last part of a key where no other key of the grid ends in it: "prob" of "mask.prob".
std::string short_key(const std::string& key, const Node& grid) {
  const auto last = [](const std::string& path) { return path.substr(path.rfind('.') + 1); };
  const auto same = std::count_if(grid.entries.begin(), grid.entries.end(),
                                  [&](const auto& entry) { return last(entry.key) == last(key); });
  return same > 1 ? key : last(key);
}

/// Every variant of `before` with every value of one key.
std::vector<SweepVariant> times(const std::vector<SweepVariant>& before, const Node::Entry& axis,
                                const Node& grid) {
  const auto& values = axis.value;
  if (values.kind != Node::Kind::kList || values.items.empty()) {
    fail(values.place, fmt::format("grid.{} expects a list of values: [0.1, 0.2]", axis.key));
  }
  if (before.size() * values.items.size() > kMostSweepRuns) {
    fail(axis.place, fmt::format("more than {} runs", kMostSweepRuns));
  }
  std::vector<SweepVariant> after;
  for (const auto& variant : before) {
    for (const Node& item : values.items) {
      const auto value = value_text(item);
      auto next = variant;
      if (!next.name.empty()) next.name += '-';
      next.name += name_of_value(short_key(axis.key, grid)) + "_" + name_of_value(value);
      next.overrides.push_back(axis.key + "=" + value);
      check_name(next.name, item.place);
      after.push_back(std::move(next));
    }
  }
  return after;
}

std::vector<SweepVariant> variants_of(const Node* runs, const Node* grid) {
  std::vector<SweepVariant> variants;
  if (runs != nullptr) {
    if (runs->kind != Node::Kind::kMap || runs->entries.empty()) {
      fail(runs->place, "runs expects names with overrides: {narrow: [mask.prob=0.1]}");
    }
    for (const auto& entry : runs->entries) {
      check_name(entry.key, entry.place);
      variants.push_back({entry.key, override_list(entry.value, "runs." + entry.key)});
    }
  } else {
    variants.emplace_back();
  }
  if (grid != nullptr) {
    if (grid->kind != Node::Kind::kMap || grid->entries.empty()) {
      fail(grid->place, "grid expects keys with lists of values: {mask.prob: [0.1, 0.2]}");
    }
    for (const auto& axis : grid->entries) variants = times(variants, axis, *grid);
  }
  if (variants.front().name.empty()) variants.front().name = "base";
  std::set<std::string> names;
  for (const auto& variant : variants) {
    if (names.insert(variant.name).second) continue;
    const auto& place = grid != nullptr ? grid->place : runs->place;
    fail(place, fmt::format("two variants would be called '{}'; give them names of their own under "
                            "runs",
                            variant.name));
  }
  return variants;
}

std::vector<std::int64_t> seeds_of(const Node& node) {
  std::vector<std::int64_t> seeds;
  for (const Node& item : node.items) {
    std::int64_t seed = -1;
    const auto* end = item.text.data() + item.text.size();
    const auto read = std::from_chars(item.text.data(), end, seed);
    if (item.kind != Node::Kind::kScalar || read.ec != std::errc() || read.ptr != end || seed < 0) {
      fail(item.place, "seeds expects whole numbers from 0: [1, 2]");
    }
    if (std::find(seeds.begin(), seeds.end(), seed) != seeds.end()) {
      fail(item.place, fmt::format("seed {} is given twice", seed));
    }
    seeds.push_back(seed);
  }
  if (node.kind != Node::Kind::kList || seeds.empty()) {
    fail(node.place, "seeds expects a list of whole numbers: [1, 2]");
  }
  return seeds;
}

/// What the sweep gives itself cannot be given to its runs.
void refuse_own_keys(const SweepConfig& sweep, const Place& place) {
  const auto refuse = [&](const std::vector<std::string>& overrides) {
    for (std::string_view text : overrides) {
      if (text.starts_with('+') || text.starts_with('~')) text.remove_prefix(1);
      const auto key = text.substr(0, text.find('='));
      if (key == "run" || key == "run.dir") {
        fail(place, fmt::format("'{}': the folders of runs follow from dir and their names", text));
      }
      if (key == "run.seed" && !sweep.seeds.empty()) {
        fail(place, fmt::format("'{}': seeds gives the seed already", text));
      }
    }
  };
  refuse(sweep.overrides);
  for (const auto& variant : sweep.variants) refuse(variant.overrides);
}

SweepConfig sweep_of(const Node& root) {
  static const std::vector<std::string> keys = {"stage", "config", "dir",  "overrides",
                                                "runs",  "grid",   "seeds"};
  if (root.kind != Node::Kind::kMap) {
    fail(root.place, "expected the keys of a sweep: stage, config, dir, runs or grid, ...");
  }
  for (const auto& entry : root.entries) {
    if (std::find(keys.begin(), keys.end(), entry.key) != keys.end()) continue;
    fail(entry.place, fmt::format("unknown key '{}', expected one of: {}{}", entry.key,
                                  fmt::join(keys, ", "), did_you_mean(entry.key, keys)));
  }
  const auto required = [&](const char* key, const char* expected) {
    const Node* node = root.find(key);
    if (node == nullptr) fail(root.place, fmt::format("{} is missing: {}", key, expected));
    return text_of(*node, key, expected);
  };
  SweepConfig sweep;
  sweep.stage = required("stage", "pretrain or finetune, the command of the runs");
  if (sweep.stage != PretrainConfig::kStage && sweep.stage != FinetuneConfig::kStage) {
    fail(root.find("stage")->place, fmt::format("stage is '{}', expected {} or {}", sweep.stage,
                                                PretrainConfig::kStage, FinetuneConfig::kStage));
  }
  sweep.dir = required("dir", "a folder, in which each run has one of its own");
  if (std::any_of(sweep.dir.begin(), sweep.dir.end(), [](unsigned char c) { return c < ' '; })) {
    fail(root.find("dir")->place, "dir holds a control character");
  }
  if (const Node* node = root.find("config")) {
    sweep.config = text_of(*node, "config", "a configuration file");
  }
  if (const Node* node = root.find("overrides"))
    sweep.overrides = override_list(*node, "overrides");
  sweep.variants = variants_of(root.find("runs"), root.find("grid"));
  if (const Node* node = root.find("seeds")) sweep.seeds = seeds_of(*node);
  if (sweep.variants.size() * std::max<std::size_t>(sweep.seeds.size(), 1) > kMostSweepRuns) {
    fail(root.place, fmt::format("more than {} runs", kMostSweepRuns));
  }
  refuse_own_keys(sweep, root.place);
  return sweep;
}

}  // namespace

SweepConfig read_sweep_text(std::string_view text, const std::string& name) {
  Place start;
  start.file = std::make_shared<const std::string>(name);
  auto sweep = sweep_of(parse_document(text, start));
  sweep.name = fs::path(name).stem().string();
  return sweep;
}

SweepConfig read_sweep(const fs::path& file) {
  const auto found = find_config(file);
  try {
    return read_sweep_text(read_file(found, kMaxDocumentBytes, FileKind::kAny), found.string());
  } catch (const DataError& error) {
    throw ConfigError(error.what());
  }
}

}  // namespace raven::config
