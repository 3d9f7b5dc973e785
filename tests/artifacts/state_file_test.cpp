#include "artifacts/state_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raven/artifacts/run_folder.h"
#include "raven/config/pretrain_config.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::artifacts {
namespace {

using testing::HasSubstr;

/// state.json with one of its values, as text, put in place of what stands there.
std::string state_with(const std::string& key, const std::string& value) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "state.json";
  write_state_file(file, {.state = {.step = 12, .position = {.epoch = 2, .batch = 3}, .seed = 7},
                          .checksums = {{"model.safetensors", "00ff"}}});
  auto text = read_file(file);
  const auto begin = text.find('"' + key + "\": ") + key.size() + 4;
  text.replace(begin, text.find_first_of(",\n", begin) - begin, value);
  return text;
}

std::string problem(const std::string& text) {
  try {
    parse_state(text, "run/state.json");
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(StateFile, KeepsItsValues) {
  const auto found = parse_state(state_with("step", "12"), "state.json");
  EXPECT_EQ(found.state.step, 12);
  EXPECT_EQ(found.state.position, (data::LoaderPosition{.epoch = 2, .batch = 3}));
  EXPECT_EQ(found.state.seed, 7U);
  EXPECT_EQ(found.checksums.at("model.safetensors"), "00ff");
}

TEST(StateFile, KeepsConfigurationsOfPathsThatAreNoUtf8) {
  config::PretrainConfig config;
  config.run.dir = "runs/caf\xE9";
  const TemporaryFolder folder;
  const auto file = folder.path() / "state.json";
  write_state_file(file, {.state = {.config = flatten(config)}, .checksums = {}});
  EXPECT_EQ(read_state_file(file).state.config, flatten(config));
}

TEST(StateFile, KnowsHowAnEarlierVersionDrew) {
  auto text = state_with("step", "12");
  EXPECT_EQ(parse_state(text, "state.json").state.seeding, kSeeding);
  const auto begin = text.find("\"seeding\": ");
  text.erase(begin, text.find('\n', begin) + 1 - begin);
  EXPECT_EQ(parse_state(with_checksum(text), "state.json").state.seeding, 1);
}

TEST(StateFile, RefusesAChangedValue) {
  EXPECT_THAT(problem(state_with("step", "13")),
              HasSubstr("run/state.json: damaged: its checksum does not fit"));
}

TEST(StateFile, RefusesImpossibleCountsUnderARightChecksum) {
  for (const std::string key : {"step", "epoch", "batch", "seed", "batches_per_epoch", "threads"}) {
    for (const std::string value : {"-1", "1.5", "1e300", "9223372036854775808", "null", "\"2\""}) {
      EXPECT_THAT(problem(with_checksum(state_with(key, value))),
                  HasSubstr(key + " is " + (value == "1e300" ? "1e+300" : value) + ", expected"));
    }
  }
  EXPECT_EQ(problem(with_checksum(state_with("step", "9223372036854775807"))), "accepted");
  EXPECT_THAT(problem(with_checksum(state_with("format_version", "2"))),
              HasSubstr("format version 2, this program reads 1"));
}

TEST(StateFile, RefusesWhatIsNoState) {
  for (const std::string text : {"", "{", "[]", "17", "{}", "{\"checksum\": 1}"}) {
    EXPECT_THAT(problem(text), HasSubstr("run/state.json: damaged: ")) << text;
  }
  const std::string deep = std::string(4'000'000, '[') + std::string(4'000'000, ']');
  EXPECT_THAT(problem("{\"checksum\": \"\", \"files\": " + deep + "}"),
              HasSubstr("more than 8 brackets in each other"));
}

}  // namespace
}  // namespace raven::artifacts
