// Checks that everything a manifest lists is there and can be read.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "raven/data/manifest.h"

namespace raven::data {

struct Problem {
  std::string id, reason, message;
};

struct Verification {
  std::int64_t utterances = 0, usable = 0, usable_frames = 0;
  std::int64_t shards_without_index = 0;          // no checksums: their members were only decoded
  std::int64_t other_lengths = 0;                 // of published lists: not as long as listed
  std::map<std::string, std::int64_t> by_reason;  // of what is not usable
  std::vector<Problem> problems;                  // in the manifest's order
};

/// Called now and then by the calling thread with how many utterances are done; false stops.
using VerificationProgress = std::function<bool(std::int64_t done)>;

/// Checks members of shards against their checksums (where there is an index), decodes every
/// utterance and compares its length with the listed one (of a published list, whose counts only
/// make batches, another length is counted and no problem). `workers`: threads, 0:
/// usable_processors(); the result is the same. Throws SystemError when the operating system
/// refuses. Stopped early, `utterances` says how many were looked at.
Verification verify(const Manifest& manifest, std::int64_t workers,
                    const VerificationProgress& progress = {});

}  // namespace raven::data
