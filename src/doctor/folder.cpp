#include "raven/doctor/folder.h"

#include <spdlog/fmt/fmt.h>

#include <cerrno>
#include <cstring>

namespace raven::doctor {
namespace {

// A checkpoint of RAVEn Base with its optimiser takes about 2 GB, and two are kept while a third is
// written.
constexpr std::uint64_t kLeastSpace = 256 * kMiB, kFineSpace = 10 * kGiB;
constexpr std::uint64_t kLeastFiles = 1000;
constexpr double kFineSpeed = 20.0 * (1 << 20);  // bytes per second

std::string speed_text(double bytes_per_s) {
  return fmt::format("{}/s", size_text(static_cast<std::uint64_t>(bytes_per_s)));
}

std::string place(const Folder& folder) {
  auto text = folder.asked.string();
  if (!folder.exists) text += fmt::format(" (not there yet; {} is)", folder.present.string());
  if (!folder.file_system.empty()) text += fmt::format(" on {}", folder.file_system);
  return text;
}

std::string writing_remedy(const Folder& folder) {
  switch (folder.write_error) {
    case ENOSPC:
    case EDQUOT:
      return fmt::format(
          "free some space on it (df -h {0}; quota -s), or choose another folder with run.dir= "
          "(here: --runs)",
          folder.present.string());
    case EFBIG:
      return "ulimit -f unlimited";
    case EROFS:
      return fmt::format(
          "mount {} for writing, or choose another folder with run.dir= (here: --runs)",
          folder.present.string());
    case EMFILE:
    case ENFILE:
      return "ulimit -n 4096";
    default:
      return fmt::format(
          "choose a folder that you may write to with run.dir= (here: --runs), or get the right to "
          "write: chmod u+w {0} as its owner",
          folder.present.string());
  }
}

Finding check_writing(const Folder& folder) {
  Finding finding{.id = "disk.runs", .what = place(folder)};
  if (!folder.obstacle.empty()) {
    finding.level = Level::kFailure;
    finding.what = folder.obstacle;
    finding.means = "no run can put its checkpoints there";
    finding.remedy = "choose another folder with run.dir= (here: --runs)";
  } else if (folder.write_error != 0) {
    finding.level = Level::kFailure;
    finding.what +=
        fmt::format(": a trial file cannot be written: {}", std::strerror(folder.write_error));
    finding.means = "a run fails at its start, or at its first checkpoint";
    finding.remedy = writing_remedy(folder);
  }
  return finding;
}

Finding check_space(const Folder& folder) {
  Finding finding{.id = "disk.runs_space",
                  .what = fmt::format("{} of {} free", size_text(folder.free_bytes),
                                      size_text(folder.total_bytes))};
  if (folder.free_files && *folder.free_files < kLeastFiles) {
    finding.level = Level::kFailure;
    finding.what += fmt::format(", room for {} more files (df -i)", *folder.free_files);
    finding.means = "a run cannot make the files of its checkpoints although there is space";
    finding.remedy = "delete small files, or choose another folder with run.dir= (here: --runs)";
  } else if (folder.free_bytes < kFineSpace) {
    const bool full = folder.free_bytes < kLeastSpace;
    finding.level = full ? Level::kFailure : Level::kWarning;
    finding.means = full ? "the checkpoints of even a tiny run do not fit"
                         : "enough for tiny models; three checkpoints of RAVEn Base do not fit";
    finding.remedy = fmt::format(
        "free some space on it (df -h {}), or choose another folder with run.dir= (here: --runs)",
        folder.present.string());
  }
  return finding;
}

Finding check_writing_speed(const Folder& folder) {
  Finding finding{.id = "disk.runs_speed",
                  .what = fmt::format("writes {}", speed_text(*folder.write_speed))};
  if (folder.read_speed) finding.what += fmt::format(", reads {}", speed_text(*folder.read_speed));
  if (*folder.write_speed >= kFineSpeed) return finding;
  finding.level = Level::kWarning;
  finding.means =
      "training stands still while a checkpoint is written: that of RAVEn Base for minutes";
  finding.remedy =
      "choose a folder on a faster disk with run.dir= (here: --runs), or write fewer with "
      "checkpoint.every=";
  return finding;
}

Finding check_locks(const Folder& folder) {
  if (folder.lock_error == 0) return {.id = "disk.runs_locks", .what = "files can be locked"};
  return {.id = "disk.runs_locks",
          .level = Level::kWarning,
          .what = fmt::format("files cannot be locked: {}", std::strerror(folder.lock_error)),
          .means = "two runs in one folder would not notice each other and damage it",
          .remedy =
              "see to it yourself that no two runs share a folder, or mount the file system with "
              "locks (NFS: without "
              "nolock; Lustre: -o flock)"};
}

Finding check_data(const Folder& folder) {
  Finding finding{.id = "disk.data",
                  .what = fmt::format("{}, {} of {} free", place(folder),
                                      size_text(folder.free_bytes), size_text(folder.total_bytes))};
  if (!folder.obstacle.empty() || (folder.named && !folder.exists)) {
    finding.level = Level::kFailure;
    if (!folder.obstacle.empty()) finding.what = folder.obstacle;
    finding.means = "no data can be read from it";
    finding.remedy =
        "name another folder, give yourself the right to read it (chmod -R a+rX), or make it: "
        "raven prepare <corpus> --out " +
        folder.asked.string();
  }
  return finding;
}

Finding check_reading_speed(const Folder& folder) {
  Finding finding{.id = "disk.data_speed",
                  .what = fmt::format("reads {}", speed_text(*folder.read_speed))};
  if (*folder.read_speed >= kFineSpeed) return finding;
  finding.level = Level::kWarning;
  finding.means = "training waits for its batches (wait_share in metrics.jsonl)";
  finding.remedy = "copy the prepared data to a disk of this machine and give its manifest there";
  return finding;
}

}  // namespace

Findings check_runs_folder(const Folder& folder) {
  Findings findings = {check_writing(folder), check_space(folder)};
  if (folder.write_speed) {
    findings.push_back(check_writing_speed(folder));
    findings.push_back(check_locks(folder));
  }
  return findings;
}

Findings check_data_folder(const Folder& folder) {
  Findings findings = {check_data(folder)};
  if (folder.read_speed) findings.push_back(check_reading_speed(folder));
  return findings;
}

}  // namespace raven::doctor
