#include "distributed/own_address.h"

#include <gtest/gtest.h>

namespace raven::distributed {
namespace {

TEST(OwnAddress, IsThatOfTheWayToAnotherHost) {
  EXPECT_EQ(address_towards("127.0.0.1", 29500), "127.0.0.1");
  EXPECT_EQ(address_towards("no-such-host.invalid", 29500), "");
}

TEST(OwnAddress, OfLoopbackLooksTowardsAHostThatIsNotThisOne) {
  EXPECT_EQ(farther_host("127.0.1.1", {"127.0.1.1", "", "10.0.0.2"}), "10.0.0.2");
  EXPECT_EQ(farther_host("", {"", "10.0.0.2"}), "10.0.0.2");
  EXPECT_EQ(farther_host("10.0.0.1", {"10.0.0.1", "10.0.0.2"}), "") << "others reach it";
  EXPECT_EQ(farther_host("127.0.0.1", {"127.0.0.1", "127.0.0.1"}), "") << "all are on one host";
  EXPECT_EQ(farther_host("::1", {"::1", "fd00::2"}), "fd00::2");
}

}  // namespace
}  // namespace raven::distributed
