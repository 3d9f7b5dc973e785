// Folders of data and runs: space, permission to write, speed, locks and the clock of their file
// system.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "raven/doctor/finding.h"

namespace raven::doctor {

struct Folder {
  std::filesystem::path asked = {};    // as named
  std::filesystem::path present = {};  // itself, else the nearest folder above it that exists
  bool exists = false;                 // `asked` is a folder
  bool named = false;                  // by the user; else it is where commands look by default
  std::string obstacle = {};  // what stands in its place or keeps us from looking; empty: nothing
  std::string file_system = {};  // "ext4", "nfs", ...; empty when unknown
  std::uint64_t total_bytes = 0, free_bytes = 0;
  std::optional<std::uint64_t> free_files = {};  // where the file system counts them

  int write_error = 0;  // errno of the trial file; 0: it could be written, or nobody tried
  std::optional<double> write_speed = {}, read_speed = {};  // bytes per second
  int lock_error = 0;                                       // errno of flock
  std::optional<double> clock_ahead_s = {};  // of the file system against the system's clock
};

/// At most this much is written and read, and for at most this long (and one block of 8 MiB).
struct FolderTrial {
  std::uint64_t bytes = 64 * kMiB;
  double seconds = 1.0;
};

/// Space and kind of the file system alone.
Folder read_folder(const std::filesystem::path& folder);

/// Also writes a file into it that has no name, so that nothing stays behind however the process
/// ends; flushed, then read back from the disk. SIGXFSZ must be ignored.
Folder try_runs_folder(const std::filesystem::path& folder, const FolderTrial& trial = {});

/// Also reads the largest of the first files in it, as far as they are not in memory.
Folder try_data_folder(const std::filesystem::path& folder, const FolderTrial& trial = {});

/// disk.runs, disk.runs_space, disk.runs_speed, disk.runs_locks.
Findings check_runs_folder(const Folder& folder);

/// disk.data, disk.data_speed.
Findings check_data_folder(const Folder& folder);

}  // namespace raven::doctor
