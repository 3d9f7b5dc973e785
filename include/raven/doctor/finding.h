// What `raven doctor` finds. Each unit of this layer reads one part of the machine (read_...) and
// judges what was read (check_...), so that judgements can be tested on facts of machines that
// nobody has.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace raven::doctor {

enum class Level { kOk, kWarning, kFailure };

struct Finding {
  std::string id =
      {};  // "limits.open_files"; scripts may rely on it, docs/troubleshooting.md lists them
  Level level = Level::kOk;
  std::string what = {};    // what was found
  std::string means = {};   // what follows from it; empty when all is well
  std::string remedy = {};  // how to mend it; empty when all is well
};
using Findings = std::vector<Finding>;

/// "ok", "warning", "failure".
std::string_view level_name(Level level);

std::int64_t count(const Findings& findings, Level level);

/// A failure is what raven cannot run with; a warning is what it runs with, but badly or not on all
/// it could have.
bool can_run(const Findings& findings);

/// For people: a line for each finding, below it what it means and how to mend it; a verdict at the
/// end.
std::string to_text(const Findings& findings);

/// {"raven", "can_run", "failures", "warnings", "findings": [{"id", "level", "what", "means",
/// "remedy"}]}
std::string to_json(const Findings& findings, std::string_view version);

/// "512 MiB", "1.5 GiB".
std::string size_text(std::uint64_t bytes);

inline constexpr std::uint64_t kMiB = 1ULL << 20, kGiB = 1ULL << 30;

}  // namespace raven::doctor
