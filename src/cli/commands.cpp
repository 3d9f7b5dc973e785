#include "commands.h"

namespace raven::cli {

std::vector<Command> all_commands() {
  return {
      make_synth_command(),
      make_prepare_command(),
      make_config_command(),
      make_completion_command(),
      make_man_command(),
  };
}

}  // namespace raven::cli
