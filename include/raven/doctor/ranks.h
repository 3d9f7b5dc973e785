// What the ranks of a run tell of themselves and measure of their links, judged together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "raven/doctor/finding.h"

namespace raven::doctor {

struct RankFacts {
  std::int64_t rank = 0;
  std::string host = {};     // its name
  std::string machine = {};  // what tells it from others of the same name: the id of its boot
  std::string raven = {};    // version and commit
  std::string torch = {};
  std::int64_t threads = 0;  // of the networks
  std::string vectors = {};  // "AVX2", "AVX512", "DEFAULT"
  std::string device = {};   // "cpu", a GPU's name
  std::string gpu = {};      // which of its host (container), as all there call it; empty: none
  Findings findings = {};    // that it has made by itself
};

/// As one text for the others, and back. Throws InternalError for what is none.
std::string rank_text(const RankFacts& facts);
RankFacts parse_rank(const std::string& text);

/// The name of this host's present boot; empty where it is not told.
std::string read_boot();

/// What the ranks found by themselves: troubles with the numbers and hosts of those that have them,
/// what is well as rank 0 tells it.
Findings findings_of(const std::vector<RankFacts>& ranks);

/// ranks.meeting, ranks.versions, ranks.threads, ranks.devices. `seconds`: until all had met.
Findings check_ranks(const std::vector<RankFacts>& ranks, double seconds);

/// Sums of tensors over all ranks.
struct LinkSpeed {
  std::int64_t ranks = 2;
  double latency_median_s = 0, latency_p95_s = 0;  // of a few bytes
  struct Sum {
    std::int64_t bytes = 0;
    double seconds = 0;  // the median
    [[nodiscard]] double bytes_per_s() const { return static_cast<double>(bytes) / seconds; }
  };
  std::vector<Sum> sums = {};  // from the smallest on
};

/// What ranks that train RAVEn Base exchange.
struct BaseStep {
  double gradient_bytes = 0;         // a step
  std::int64_t batch_norm_sums = 0;  // a batch
};

/// ranks.latency, ranks.bandwidth.
Findings check_links(const LinkSpeed& speed, const BaseStep& base);

}  // namespace raven::doctor
