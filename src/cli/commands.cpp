#include "cli/commands.h"

namespace raven::cli {

std::vector<Command> all_commands() {
  // One command a line.
  // clang-format off
  return {
      make_synth_command(),
      make_prepare_command(),
      make_data_command(),
      make_tokenizer_command(),
      make_score_command(),
      make_pretrain_command(),
      make_finetune_command(),
      make_lm_command(),
      make_selftrain_command(),
      make_average_command(),
      make_evaluate_command(),
      make_transcribe_command(),
      make_features_command(),
      make_probe_command(),
      make_report_command(),
      make_table_command(),
      make_import_command(),
      make_export_command(),
      make_inspect_command(),
      make_plan_command(),
      make_sweep_command(),
      make_bench_command(),
      make_doctor_command(),
      make_config_command(),
      make_completion_command(),
      make_man_command(),
  };
  // clang-format on
}

}  // namespace raven::cli
