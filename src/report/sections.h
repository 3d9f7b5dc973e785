// The parts of a report, each as markup. Runs come in the order in which they were named; their
// labels are unique.
#pragma once

#include <string>
#include <vector>

#include "raven/report/run_table.h"
#include "report/findings.h"
#include "report/run_record.h"
#include "report/selftraining_record.h"
#include "report/transcripts_record.h"

namespace raven::report {

struct LabelledRun {
  std::string label;
  RunRecord record;
  Assessment assessment;
  std::size_t colour = 0;  // of its lines, and of its row in the table
  std::string group = {};  // its row's name where others share it; empty: it is alone there
};
using Runs = std::vector<LabelledRun>;

/// `raven table` of the runs; of a single one nothing.
std::string table_section(const Runs& runs);
RunTable table_of(const Runs& runs);
/// Gives colours and groups by the rows of the table.
void group_by_row(Runs& runs);

std::string summary_section(const Runs& runs);
std::string curves_section(const Runs& runs);
std::string rates_section(const Runs& runs);
std::string worst_section(const Runs& runs);
/// Rounds, with the results of their students among the runs.
std::string selftraining_section(const std::vector<SelftrainingRecord>& records, const Runs& runs);
std::string transcripts_section(const std::vector<TranscriptsRecord>& records);
std::string files_section(const Runs& runs);  // skipped utterances, warnings of the log
std::string setup_section(const Runs& runs);  // configuration and environment
/// Each start of the runs: when, on what, from and to which step, why it ended. Empty where none is
/// known.
std::string history_section(const Runs& runs);

/// The words of an alignment, coloured and with words for those who do not see colours.
std::string aligned_words_list(const std::vector<AlignedWord>& words);

/// The attention's weights as a picture, and the frames at which CTC says its units.
std::string attention_figure(const AttentionPicture& picture);

}  // namespace raven::report
