// What has been decoded of a set, on disk: `decoded.jsonl` in the folder of its results.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "raven/evaluation/decoded_with.h"
#include "raven/evaluation/nbest_list.h"

namespace raven::evaluation {

struct Decoded {
  std::string hypothesis;
  double score = 0;                                   // as the search gave it
  std::vector<std::int64_t> units;                    // as Hypothesis::units
  std::vector<Alternative> nbest = {};                // where a list was asked for
  std::optional<std::vector<std::int64_t>> ctc = {};  // as NbestList::ctc
  std::int64_t frames = 0;  // where they need not be those listed; 0: as listed
};

/// How a set ended.
struct Finish {
  std::map<std::string, std::int64_t> skipped;  // utterances that could not be read, by reason
  std::string scoring;                          // what the scores depend on beside the hypotheses
};

/// The first line says what the hypotheses depend on, then come utterances, each once, and at the
/// end a line that says that none is missing.
class DecodedFile {
 public:
  /// What the hypotheses depend on.
  struct Identity {
    std::map<std::string, std::string> parts;          // name -> checksum, or the thing itself
    std::map<std::string, std::string> settings = {};  // key -> value, of the part `kSearch`
  };
  static constexpr const char* kSearch = "search";

  /// Reads what is there of the same identity, up to the first damaged line. Hypotheses of another
  /// identity are dropped, with a warning that names the parts and settings that differ, or
  /// refused: ConfigError. Throws SystemError.
  DecodedFile(std::filesystem::path file, const Identity& identity,
              OtherResults others = OtherResults::kReplace);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const std::map<std::string, Decoded>& done() const { return done_; }
  [[nodiscard]] const std::optional<Finish>& finished() const { return finished_; }

  /// Adds what is not there yet. Throws DataError ("id") for an id that is not UTF-8, which the
  /// file cannot hold, and SystemError when the disk refuses.
  void add(const std::string& id, Decoded decoded);
  /// Puts the utterances in the order of their ids, whoever decoded them when.
  void finish(Finish finish);
  /// Adds what the parts of ranks (part_of_rank()) hold of the same identity, and removes them.
  void take_over_parts();
  /// Forgets that it is finished: its results are about to be written anew.
  void reopen();

 private:
  void read(const Identity& identity, OtherResults others);
  void append(const std::string& line);

  std::filesystem::path path_;
  Identity identity_;
  std::map<std::string, Decoded> done_;
  std::optional<Finish> finished_;
  std::string kept_;  // lines that the file starts with
  std::ofstream out_;
};

}  // namespace raven::evaluation
