// The folder of transcripts: which name is whose, and what is done. `transcripts.jsonl` lists the
// media files, a line each.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "raven/core/folder_lock.h"
#include "raven/transcription/transcript_files.h"

namespace raven::transcription {

/// What became of a file.
struct FileRecord {
  std::string file;                // whole path; not UTF-8: with %XX
  std::string name;                // of its transcripts, without endings
  std::string state;               // of the file: its size and the time of its last change
  std::string identity;            // what they follow from; empty: nothing was done
  std::string verdict, message;    // "ok", or why there is none, a short word and one line
  std::vector<std::string> files;  // that were written
  std::string film;                // the annotated one, whole path; empty: none
  double duration_s = 0;
  std::int64_t words = 0;
};

/// Owned by one process. Thread-safe.
class TranscriptFolder {
 public:
  /// Makes the folder and gives every file a name that no other has: its own without its ending,
  /// or with -2, -3, ... behind it. A file that the folder knows keeps its name. Throws ConfigError
  /// when another process writes there, or a file of another program has the name of one that
  /// would be written, unless `replace`; SystemError.
  TranscriptFolder(std::filesystem::path folder, const std::vector<std::filesystem::path>& files,
                   const std::vector<std::string>& endings, bool replace);

  [[nodiscard]] std::string name_of(const std::filesystem::path& file) const;
  /// Transcripts that follow from the same are there, whole.
  [[nodiscard]] bool is_done(const std::filesystem::path& file, const std::string& identity) const;
  [[nodiscard]] std::filesystem::path part_file(const std::filesystem::path& file) const;
  /// Of what is_done().
  [[nodiscard]] FileRecord record(const std::filesystem::path& file) const;

  /// Notes which content of the file is looked at from here on.
  void begin(const std::filesystem::path& file, const std::string& state);
  /// Writes each content in one step, then notes that it is there. Files that an earlier call wrote
  /// for it and that are no longer wanted are removed.
  void write(FileRecord record, const std::vector<NamedContent>& contents);
  /// Notes that there is none, or none of what it holds now.
  void note(FileRecord record);
  /// Sorts the list: the same files give the same bytes, in whatever order they were done.
  void finish();

 private:
  void read();
  /// The names that are new.
  std::vector<std::string> name_all(const std::vector<std::filesystem::path>& files);
  void refuse_foreign(const std::vector<std::string>& names,
                      const std::vector<std::string>& endings) const;
  void rewrite();
  void add(FileRecord record);

  std::filesystem::path folder_;
  FolderLock lock_;
  mutable std::mutex mutex_;                   // of what follows
  std::map<std::string, FileRecord> records_;  // by file
  std::ofstream out_;
};

}  // namespace raven::transcription
