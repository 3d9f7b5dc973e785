#include "raven/core/sha256.h"

#include <gtest/gtest.h>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven {
namespace {

TEST(Sha256, GivesThePublishedExamples) {  // FIPS 180-2, appendix B
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, IsTheSameInPartsAndFromAFile) {
  const TemporaryFolder folder;
  const std::string bytes(3000000, 'x');
  write_file_atomically(folder.path() / "x", bytes);
  Sha256 parts;
  parts.update(bytes.substr(0, 1));
  parts.update(bytes.substr(1));
  EXPECT_EQ(parts.hex(), sha256(bytes));
  EXPECT_EQ(sha256_file(folder.path() / "x"), sha256(bytes));
  EXPECT_THROW(sha256_file(folder.path() / "absent"), SystemError);
}

}  // namespace
}  // namespace raven
