#include "raven/plan/hardware.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raven/core/error.h"

namespace raven::plan {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(ParseMemory, TakesPowersOf1024AndOf1000) {
  EXPECT_EQ(parse_memory("24GiB", "--memory"), 24.0 * 1024 * 1024 * 1024);
  EXPECT_EQ(parse_memory("80GB", "--memory"), 80e9);
  EXPECT_EQ(parse_memory("1.5MiB", "--memory"), 1.5 * 1024 * 1024);
}

TEST(ParseMemory, RefusesWhatIsNoMemory) {
  for (const char* text : {"", "24", "0GiB", "-1GiB", "24gib", "GiB", "24 GiB", "1e300TiB",
                           "nanGiB", "infGiB", "24GiBs"}) {
    EXPECT_THAT([&] { parse_memory(text, "--memory"); },
                ThrowsMessage<ConfigError>(HasSubstr("--memory is '" + std::string(text) + "'")));
  }
}

TEST(ParseDeviceMemory, KnowsKindsOfGpus) {
  constexpr double kGiB = 1024.0 * 1024 * 1024;
  EXPECT_EQ(parse_device_memory("A100-80GB", "--device-memory"), 80 * kGiB);
  EXPECT_EQ(parse_device_memory("a100 40gb", "--device-memory"), 40 * kGiB);
  EXPECT_EQ(parse_device_memory("24GiB", "--device-memory"), 24 * kGiB);
  EXPECT_THAT([] { parse_device_memory("A100", "--device-memory"); },
              ThrowsMessage<ConfigError>(HasSubstr("or a GPU of these: T4, V100-16GB,")));
}

TEST(MachineMemory, IsThere) { EXPECT_GT(machine_memory(), 64.0 * 1024 * 1024); }

}  // namespace
}  // namespace raven::plan
