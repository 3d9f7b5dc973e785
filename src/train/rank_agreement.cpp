#include "raven/train/rank_agreement.h"

#include <torch/torch.h>

#include <optional>
#include <sstream>
#include <vector>

#include "raven/config/machine_keys.h"
#include "raven/core/build_commit.h"
#include "raven/core/error.h"
#include "raven/core/interrupt.h"

namespace raven::train {
namespace {

using Facts = std::map<std::string, std::string>;

std::string text_of(const Facts& facts) {
  std::string text;
  for (const auto& [name, value] : facts) text += fmt::format("{}\t{}\n", name, value);
  return text;
}

Facts facts_of(const std::string& text) {
  Facts facts;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto tab = line.find('\t');
    facts[line.substr(0, tab)] = tab == std::string::npos ? "" : line.substr(tab + 1);
  }
  return facts;
}

std::string value_in(const Facts& facts, const std::string& name) {
  const auto found = facts.find(name);
  return found == facts.end() ? "(nothing)" : found->second;
}

struct Difference {
  std::size_t rank = 0;
  std::vector<std::string> lines;
};

std::optional<Difference> difference(distributed::Communicator& ranks, const Facts& mine) {
  const auto texts = distributed::texts_of_all(ranks, text_of(mine));
  const auto first = facts_of(texts.front());
  for (std::size_t rank = 1; rank < texts.size(); ++rank) {
    if (texts[rank] == texts.front()) continue;
    const auto other = facts_of(texts[rank]);
    Difference found{.rank = rank, .lines = {}};
    auto names = first;
    names.insert(other.begin(), other.end());
    for (const auto& [name, value] : names) {
      const auto ours = value_in(first, name), theirs = value_in(other, name);
      if (ours != theirs) {
        found.lines.push_back(
            fmt::format("{}: {} of rank 0, {} of rank {}", name, ours, theirs, rank));
      }
    }
    return found;
  }
  return std::nullopt;
}

}  // namespace

void check_same_start(distributed::Communicator& ranks, const config::FlatConfig& config) {
  if (ranks.size() == 1) return;
  Facts facts;
  for (const auto& [key, value] : config) {
    const bool alike = !config::is_of_the_machine(key) || key.starts_with("log.") ||
                       key.starts_with("checkpoint.") || key == "distributed.shard_optimizer";
    if (alike) facts[key] = value;
  }
  facts["raven"] = fmt::format("{} {}", RAVEN_VERSION, build_commit());
  facts["number of threads"] = fmt::format("{}", torch::get_num_threads());
  const auto found = difference(ranks, facts);
  if (!found) return;
  throw ConfigError(fmt::format("rank {} was started otherwise than rank 0:\n  {}", found->rank,
                                fmt::join(found->lines, "\n  ")));
}

void check_same_data(distributed::Communicator& ranks, const std::string& data_hash,
                     const std::string& name) {
  if (ranks.size() == 1) return;
  const auto found = difference(ranks, {{"hash of the data", data_hash}});
  if (!found) return;
  throw PeerError(fmt::format("{}: rank {} has other data than rank 0 (ids, frame counts, "
                              "transcripts or vocabulary): the lists must be the same for all",
                              name, found->rank),
                  static_cast<int>(ExitCode::kTooManySkipped));
}

}  // namespace raven::train
