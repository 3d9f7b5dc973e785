#include "report/selftraining_record.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <string_view>

#include "raven/core/error.h"
#include "report/json_fields.h"
#include "report/lines.h"

namespace raven::report {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxLineBytes = 1 << 20;
constexpr std::int64_t kMaxRounds = 50;
constexpr std::size_t kMaxReasons = 20, kMaxCriteria = 12;

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  while (true) {
    const auto end = line.find('\t');
    cells.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return cells;
    line.remove_prefix(end + 1);
  }
}

std::optional<double> number_in(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A row's cells by the names of the first line.
using Row = std::map<std::string, std::string_view>;

void for_each_row(const fs::path& file, const std::function<void(const Row&)>& see,
                  std::vector<std::string>& problems) {
  std::vector<std::string> names;
  std::int64_t damaged = 0;
  try {
    damaged += for_each_line(file, kMaxLineBytes, [&](std::string_view line) {
      const auto cells = cells_of(line);
      if (names.empty()) {
        names.assign(cells.begin(), cells.end());
        return true;
      }
      if (cells.size() != names.size()) {
        ++damaged;
        return true;
      }
      Row row;
      for (std::size_t i = 0; i < cells.size(); ++i) row[names[i]] = cells[i];
      see(row);
      return true;
    });
  } catch (const SystemError& error) {
    problems.emplace_back(error.what());
  }
  if (damaged > 0)
    problems.push_back(fmt::format("{}: {} lines are damaged", file.string(), damaged));
}

void read_labels(const fs::path& file, RoundRecord& round, std::vector<std::string>& problems) {
  if (!fs::exists(file)) return;
  for_each_row(
      file,
      [&](const Row& row) {
        const auto kept = row.find("kept"), rejected = row.find("rejected");
        if (kept == row.end() || rejected == row.end()) return;
        ++round.labels;
        if (kept->second == "1") {
          ++round.kept;
        } else if (round.rejected.size() < kMaxReasons) {
          ++round.rejected[std::string(rejected->second)];
        }
      },
      problems);
}

void read_errors(const fs::path& file, RoundRecord& round, std::vector<std::string>& problems) {
  if (!fs::exists(file)) return;
  for_each_row(
      file,
      [&](const Row& row) {
        const auto cell = [&](const char* name) {
          const auto found = row.find(name);
          return found == row.end() ? std::string_view() : found->second;
        };
        const auto share = number_in(cell("share")), error = number_in(cell("wer"));
        if (!share || !error) return;
        const std::string criterion(cell("criterion"));
        if (criterion == "kept") {
          round.error_of_kept = *error;
          return;
        }
        if (*share == 1) round.error_of_all = *error;
        auto& curves = round.error_by_share;
        if (curves.size() < kMaxCriteria || curves.contains(criterion))
          curves[criterion].add(100 * *share, *error);
      },
      problems);
}

fs::path folder_of_round(const fs::path& folder, std::int64_t number) {
  return folder / fmt::format("round_{}", number);
}

}  // namespace

bool is_selftraining(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_directory(folder_of_round(folder, 1), ignored);
}

SelftrainingRecord read_selftraining(const fs::path& folder) {
  SelftrainingRecord record{.folder = folder};
  if (const auto config = read_json(folder / "selftrain.json", false, record.problems);
      config && config->is_object())
    record.labeller = text_of(*config, "labeller");
  for (std::int64_t number = 1; number <= kMaxRounds; ++number) {
    const auto place = folder_of_round(folder, number);
    std::error_code ignored;
    if (!fs::is_directory(place, ignored)) break;
    RoundRecord round{.number = number};
    read_labels(place / "labels.tsv", round, record.problems);
    read_errors(place / "label_errors.tsv", round, record.problems);
    if (fs::is_directory(place / "student", ignored)) round.student = place / "student";
    record.rounds.push_back(std::move(round));
  }
  return record;
}

}  // namespace raven::report
