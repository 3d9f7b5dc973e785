#include <gmock/gmock.h>

#include "cli/commands.h"
#include "cli/help.h"
#include "raven/core/files.h"
#include "support/shell.h"
#include "support/temporary_folder.h"

namespace raven::cli {
namespace {

using testing::HasSubstr;

TEST(Man, LinesThatLookLikeRequestsAreProtected) {
  Command command = {.name = "it", .summary = "a", .description = ".so /etc/passwd\n'x \\n"};
  const std::string page = man_page({command});
  EXPECT_THAT(page, HasSubstr("\n\\&.so /etc/passwd\n\\&'x \\en\n"));
}

TEST(Man, FormatsWithoutWarnings) {
  const std::string formatter = has_program("groff")    ? "groff -man -Tutf8 -ww -z"
                                : has_program("mandoc") ? "mandoc -T lint -W warning"
                                                        : "cat > /dev/null";
  const TemporaryFolder folder;
  const auto file = folder.path() / "raven.1";
  write_file_atomically(file, man_page(all_commands()));
  const auto result = shell(formatter + " < " + file.string() + " 2>&1");
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.output, "");
}

}  // namespace
}  // namespace raven::cli
