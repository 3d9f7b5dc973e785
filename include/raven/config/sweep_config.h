// The file of `raven sweep`: which runs an ablation has.
//
//   stage: pretrain               # or finetune
//   config: quickstart.yaml       # what they have in common: a configuration ...
//   overrides: [train.steps=300]  # ... and overrides of it
//   dir: runs/masks               # each run has a folder in it
//   grid: {mask.prob: [0.1, 0.2, 0.4], mask.length: [3, 5]}  # six variants, and / or
//   runs: {narrow: [mask.prob=0.1, mask.length=1], wide: mask.prob=0.4}  # named ones
//   seeds: [1, 2]                 # each variant with both
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace raven::config {

/// One point of the sweep, without its seed.
struct SweepVariant {
  std::string name;                    // of letters, digits and ._+-: a folder's name
  std::vector<std::string> overrides;  // "mask.prob=0.1"
};

struct SweepConfig {
  std::string name;    // of the file, without folder and ending
  std::string stage;   // "pretrain" or "finetune"
  std::string config;  // as for --config; empty: the defaults
  std::string dir;
  std::vector<std::string> overrides;  // of all runs
  /// `runs` times `grid`, in the order of the file, the last key of the grid fastest. Without
  /// either: one, "base".
  std::vector<SweepVariant> variants;
  std::vector<std::int64_t> seeds;  // empty: that of the configuration
};

/// More runs in one sweep are taken for a mistake.
inline constexpr std::size_t kMostSweepRuns = 1000;

/// Reads a file, looked up as configurations are (find_config). Throws ConfigError naming
/// file:line:column, what was found and what was expected. Configurations of the runs are not
/// checked here.
SweepConfig read_sweep(const std::filesystem::path& file);

/// The same for YAML in memory; `name` stands for the file in messages.
SweepConfig read_sweep_text(std::string_view text, const std::string& name);

}  // namespace raven::config
