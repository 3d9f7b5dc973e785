#include "raven/doctor/clock.h"

#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <cmath>
#include <ctime>

namespace raven::doctor {
namespace {

constexpr std::int64_t kEarlierAllowed_s =
    3600;  // a program copied from a machine whose clock is ahead
constexpr double kDifferenceAllowed_s = 5;
constexpr const char* kRemedy =
    "set the clock: timedatectl set-ntp true (or chronyc makestep; in a virtual machine the "
    "host's)";

std::string utc(std::int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text.data();
}

}  // namespace

Clock read_clock(const std::filesystem::path& program) {
  Clock clock;
  clock.now_s = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  struct stat status {};
  if (!program.empty() && ::stat(program.c_str(), &status) == 0)
    clock.program_s = status.st_mtim.tv_sec;
  return clock;
}

Findings check_clock(const Clock& clock) {
  Finding finding{.id = "clock.system", .what = utc(clock.now_s)};
  if (clock.program_s && clock.now_s < *clock.program_s - kEarlierAllowed_s) {
    finding.level = Level::kWarning;
    finding.what += fmt::format(", before raven itself was built ({})", utc(*clock.program_s));
    finding.means =
        "times in logs and files are wrong, builds take old files for new ones, certificates are "
        "refused";
    finding.remedy = kRemedy;
  }
  return {finding};
}

Findings check_folder_clock(const Folder& folder) {
  if (!folder.clock_ahead_s) return {};
  const double ahead = *folder.clock_ahead_s;
  Finding finding{
      .id = "clock.file_system",
      .what = fmt::format("that of {} agrees with the system's", folder.present.string())};
  if (std::abs(ahead) > kDifferenceAllowed_s) {
    finding.level = Level::kWarning;
    finding.what =
        fmt::format("files in {} are dated {:.0f} s {} the system's clock", folder.present.string(),
                    std::abs(ahead), ahead > 0 ? "after" : "before");
    finding.means =
        "this machine and the one that keeps the files disagree: what was written last cannot be "
        "told by its date";
    finding.remedy = std::string(kRemedy) + ", here and on the file server";
  }
  return {finding};
}

}  // namespace raven::doctor
