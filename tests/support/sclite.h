// The real sclite (Debian's sctk), run on trn files. scripts/setup.sh --tests installs it.
#pragma once

#include <filesystem>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>

#include "raven/core/files.h"
#include "support/shell.h"

namespace raven {

struct ScliteCounts {
  long correct = 0, substitutions = 0, deletions = 0, insertions = 0;

  friend bool operator==(const ScliteCounts&, const ScliteCounts&) = default;
};

struct ScliteResult {
  std::map<std::string, ScliteCounts> utterances;  // by id as sclite prints it, without parentheses
  long sentences = 0, words = 0, sentence_errors = 0;
  ScliteCounts total;
};

/// Scores hyp.trn against ref.trn in `folder`; `options` are sclite's. Throws where sclite is not
/// installed, so that a test without it fails.
inline ScliteResult run_sclite(const std::filesystem::path& folder,
                               const std::string& options = "") {
  if (!has_program("sctk")) throw std::runtime_error("sctk is missing: scripts/setup.sh --tests");
  const auto run =
      shell("cd '" + folder.string() + "' && sctk sclite -i rm -r ref.trn trn -h hyp.trn trn " +
            options + " -o rsum pralign -O . -n result 2>&1");
  if (run.code != 0 || !std::filesystem::exists(folder / "result.pra"))
    throw std::runtime_error("sclite: " + run.output);
  ScliteResult result;
  std::istringstream alignments(read_file(folder / "result.pra"));
  std::string id;
  for (std::string line; std::getline(alignments, line);) {
    if (line.starts_with("id: (")) id = line.substr(5, line.rfind(')') - 5);
    const std::string mark = "Scores: (#C #S #D #I) ";
    if (!line.starts_with(mark)) continue;
    ScliteCounts counts;
    std::istringstream(line.substr(mark.size())) >> counts.correct >> counts.substitutions >>
        counts.deletions >> counts.insertions;
    result.utterances[id] = counts;
  }
  std::istringstream summary(read_file(folder / "result.raw"));
  for (std::string line; std::getline(summary, line);) {
    if (line.find("| Sum ") == std::string::npos) continue;
    for (char& c : line) c = c == '|' || c == ',' ? ' ' : c;
    std::istringstream fields(line);
    std::string name;
    long errors = 0;
    fields >> name >> result.sentences >> result.words >> result.total.correct >>
        result.total.substitutions >> result.total.deletions >> result.total.insertions >> errors >>
        result.sentence_errors;
  }
  return result;
}

}  // namespace raven
