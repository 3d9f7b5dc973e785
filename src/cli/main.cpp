// `raven <command> ...`
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/program.h"
#include "cli/raven_commit.h"
#include "raven/core/build_commit.h"
#include "raven/core/interrupt.h"

int main(int argc, char** argv) {
  raven::prepare_process();
  raven::set_build_commit(RAVEN_COMMIT);
  const std::vector<std::string> all(argv, argv + argc);
  return raven::cli::run_program(
      raven::cli::all_commands(),
      std::vector<std::string>(all.begin() + (argc > 0 ? 1 : 0), all.end()));
}
