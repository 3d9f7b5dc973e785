#include "raven/core/home.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include "raven/core/error.h"

namespace raven {
namespace {

class Home : public testing::Test {
 protected:
  Home() : before_(::getenv("HOME") == nullptr ? "" : ::getenv("HOME")) {}
  ~Home() override { ::setenv("HOME", before_.c_str(), 1); }

 private:
  std::string before_;
};

TEST_F(Home, StandsForATildeAndASlashAtTheStart) {
  ::setenv("HOME", "/home/ann", 1);
  EXPECT_EQ(expand_home("~/data/a.tsv"), "/home/ann/data/a.tsv");
  for (const char* other : {"~", "~bob/a", "a/~/b", "./~/a", "/~/a", ""}) {
    EXPECT_EQ(expand_home(other), other);
  }
}

TEST_F(Home, IsRefusedWhereNobodyKnowsIt) {
  ::unsetenv("HOME");
  try {
    (void)expand_home("~/a");
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("~/a: HOME does not name a folder"));
  }
}

}  // namespace
}  // namespace raven
