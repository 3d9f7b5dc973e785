// The list of commands.
#pragma once

#include <vector>

#include "cli/command.h"

namespace raven::cli {

Command make_config_command();
Command make_synth_command();
Command make_prepare_command();
Command make_pretrain_command();
Command make_tokenizer_command();
Command make_score_command();
Command make_finetune_command();
Command make_lm_command();
Command make_selftrain_command();
Command make_average_command();
Command make_evaluate_command();
Command make_features_command();
Command make_probe_command();
Command make_transcribe_command();
Command make_report_command();
Command make_table_command();
Command make_export_command();
Command make_import_command();
Command make_inspect_command();
Command make_plan_command();
Command make_sweep_command();
Command make_bench_command();
Command make_data_command();
Command make_doctor_command();
Command make_completion_command();
Command make_man_command();

/// Every command, in the order of --help.
std::vector<Command> all_commands();

}  // namespace raven::cli
