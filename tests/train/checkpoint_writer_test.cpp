#include "raven/train/checkpoint_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <future>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::train {
namespace {

class Writer : public testing::Test {
 protected:
  static artifacts::TrainState at(std::int64_t step) { return {.step = step, .length = 10}; }

  [[nodiscard]] torch::Tensor written(std::int64_t step) const {
    return artifacts::read_checkpoint(folder_.path_of(step)).model.at("weight");
  }

  TemporaryFolder temporary_;
  artifacts::CheckpointFolder folder_{temporary_.path() / "checkpoints", /*keep=*/2,
                                      /*keep_every=*/0};
  torch::Tensor weight_ = torch::arange(6, torch::kFloat32).view({2, 3});
  nn::StateDict model_ = {{"weight", weight_}}, optimizer_ = {{"set.step", torch::zeros({})}};
};

TEST_F(Writer, WritesWhatTheTensorsWereWhenItReturned) {
  CheckpointWriter writer(folder_, /*in_background=*/true);
  for (std::int64_t step = 1; step < 4; ++step) {
    const auto then = weight_.clone();
    writer.write(at(step), model_, optimizer_, {});
    weight_ += 100;
    writer.wait();
    EXPECT_TRUE(torch::equal(written(step), then)) << step;
  }
}

TEST_F(Writer, ReturnsBeforeTheCheckpointIsWhole) {
  CheckpointWriter writer(folder_, /*in_background=*/true);
  std::promise<void> may_end;
  bool ended = false;
  writer.write(at(1), model_, optimizer_, {.written = [&](double /*waited_s*/) {
                 may_end.get_future().wait();
                 ended = true;
               }});
  writer.check();
  EXPECT_FALSE(ended);
  may_end.set_value();
  writer.wait();
  EXPECT_TRUE(ended);
}

TEST_F(Writer, EndsWhatItBeganBeforeItIsGone) {
  { CheckpointWriter(folder_, /*in_background=*/true).write(at(7), model_, optimizer_, {}); }
  EXPECT_EQ(folder_.steps(), std::vector<std::int64_t>{7});
  EXPECT_TRUE(torch::equal(written(7), weight_));
}

TEST_F(Writer, TellsWhatFailedAtTheNextOccasion) {
  CheckpointWriter writer(folder_, /*in_background=*/true);
  std::filesystem::remove_all(temporary_.path() / "checkpoints");
  std::ofstream(temporary_.path() / "checkpoints") << "a file is in the way";
  writer.write(at(1), model_, optimizer_, {});
  EXPECT_THROW(writer.wait(), SystemError);
  EXPECT_NO_THROW(writer.wait()) << "told once";
  writer.write(at(2), model_, optimizer_, {});
  EXPECT_THROW(writer.write(at(3), model_, optimizer_, {}), SystemError);
}

TEST_F(Writer, FetchesWhatOthersHave) {
  for (const bool in_background : {true, false}) {
    CheckpointWriter writer(folder_, in_background);
    const nn::StateDict shared = {
        {"mine", torch::ones({2})},
        {"theirs", torch::empty({3}, torch::TensorOptions(torch::kMeta))}};
    writer.write(at(1), model_, shared, {.fetch = [](const nn::StateDict& copies) {
                   auto into = copies.at(1).second;
                   into.fill_(5);
                 }});
    writer.wait();
    const auto optimizer = artifacts::read_checkpoint(folder_.path_of(1)).optimizer;
    EXPECT_TRUE(torch::equal(optimizer.at("mine"), torch::ones({2})));
    EXPECT_TRUE(torch::equal(optimizer.at("theirs"), torch::full({3}, 5.0F)));
  }
}

}  // namespace
}  // namespace raven::train
