#include "raven/distributed/thread_share.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/text_file.h"
#include "raven/core/processors.h"

namespace raven::distributed {
namespace {

/// Words of 32 processors, the lowest first.
std::vector<std::uint32_t> words_of(std::string_view mask) {
  std::vector<std::uint32_t> words;
  while (!mask.empty()) {
    const auto comma = mask.rfind(',');
    const auto begin = comma == std::string_view::npos ? 0 : comma + 1;
    std::uint32_t word = 0;
    std::from_chars(mask.data() + begin, mask.data() + mask.size(), word, /*base=*/16);
    words.push_back(word);
    mask = mask.substr(0, begin == 0 ? 0 : comma);
  }
  return words;
}

bool share_any(std::string_view a, std::string_view b) {
  const auto ours = words_of(a), theirs = words_of(b);
  for (std::size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i) {
    if ((ours[i] & theirs[i]) != 0) return true;
  }
  return false;
}

/// Linux's own words for this process.
std::string own_mask() {
  constexpr std::string_view kName = "Cpus_allowed:";
  const auto status = read_text("/proc/self/status").value_or("");
  const auto at = status.find(kName);
  if (at == std::string::npos) return "";
  const auto begin = at + kName.size();
  return std::string(
      trimmed(std::string_view(status).substr(begin, status.find('\n', begin) - begin)));
}

std::string own_host() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return fmt::format("{} {}", host.data(),
                     trimmed(read_text("/proc/sys/kernel/random/boot_id").value_or("")));
}

RankCores parse(const std::string& text) {
  const auto first = text.find('\t'), second = text.find('\t', first + 1);
  return {.host = text.substr(second + 1),
          .mask = text.substr(first + 1, second - first - 1),
          .cores = whole_number(text.substr(0, first)).value_or(1)};
}

}  // namespace

std::int64_t threads_of_each(const std::vector<RankCores>& ranks) {
  std::int64_t threads = 0;
  for (const auto& rank : ranks) {
    const auto sharing = std::ranges::count_if(ranks, [&](const RankCores& other) {
      return &other == &rank || (other.host == rank.host && share_any(other.mask, rank.mask));
    });
    const auto own = std::max<std::int64_t>(1, rank.cores / sharing);
    threads = threads == 0 ? own : std::min(threads, own);
  }
  return threads;
}

std::int64_t agree_on_threads(Communicator& ranks, std::int64_t wanted) {
  if (ranks.size() == 1) return wanted;
  std::vector<RankCores> all;
  for (const auto& text :
       texts_of_all(ranks, fmt::format("{}\t{}\t{}", usable_processors(), own_mask(), own_host())))
    all.push_back(parse(text));
  return wanted > 0 ? wanted : threads_of_each(all);  // others may have been asked for none
}

}  // namespace raven::distributed
