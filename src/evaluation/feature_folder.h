// What a folder of features holds: features.json says what they are made from, index.tsv lists
// them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace raven::evaluation {

struct FeatureRow {
  std::string file;  // below the folder
  std::int64_t frames = 0, width = 0;
  std::string checksum;  // xxh3 of the file
  std::string source;    // the clip that was read
};

class FeatureFolder {
 public:
  /// What features depend on beside the clip: setting -> value.
  using Settings = std::map<std::string, std::string>;

  inline static const std::vector<std::string> kOwnFiles = {"features.json", "index.tsv",
                                                            "skipped.tsv", ".lock"};

  /// Reads index.tsv up to the first line that is cut short or damaged, without the rows whose
  /// files are gone. `notes`: what else features.json says when it is new. Throws ConfigError
  /// listing what differs when the folder was made with other settings, or when there is an index
  /// without settings.
  FeatureFolder(std::filesystem::path folder, const Settings& settings, const Settings& notes);

  /// What another rank than 0 adds to a folder, in an index of its own (part_of_rank()).
  FeatureFolder(std::filesystem::path folder, std::int64_t rank);

  [[nodiscard]] const std::map<std::string, FeatureRow>& rows() const { return rows_; }  // by id

  /// Throws SystemError when the disk refuses.
  void add(const std::string& id, FeatureRow row);
  /// What was added is seen by other hosts, too.
  void flush();
  /// Adds what the ranks' own indices list, and removes them.
  void take_over_parts();
  /// Sorts index.tsv by id.
  void finish();
  /// skipped.tsv of "id<TAB>reason<TAB>message" lines; none: there is no such file.
  void write_skipped(const std::vector<std::string>& lines) const;

 private:
  void claim(const Settings& settings, const Settings& notes) const;
  void read_index();
  [[nodiscard]] std::string index() const;

  std::filesystem::path folder_;
  std::map<std::string, FeatureRow> rows_;
  std::filesystem::path listed_in_;  // by out_
  std::ofstream out_;
};

/// Rows of an index, up to the first damaged line. A last line without its end is damaged.
std::map<std::string, FeatureRow> parse_index(std::string_view content);

}  // namespace raven::evaluation
