#include "raven/artifacts/checkpoint_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "artifacts/folder_exchange.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/open_count.h"
#include "support/temporary_folder.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

nn::StateDict model_at(std::int64_t step) {
  return {{"student_video.weight", torch::full({4, 3}, static_cast<double>(step))},
          {"student_video.norm.num_batches_tracked", torch::tensor(step)}};
}

nn::StateDict optimizer_at(std::int64_t step) {
  return {{"video.step", torch::tensor(static_cast<float>(step))}};
}

TrainState state_at(std::int64_t step) {
  return {.step = step,
          .position = {.epoch = 2, .batch = step},
          .seed = 7,
          .config = {{"optimizer.lr", "0.003"}, {"run.dir", "caf\xC3\xA9"}},
          .numbers = {{"mean.sum.loss", -0.1F}},
          .data_hash = "00ff",
          .batches_per_epoch = 31,
          .threads = 3,
          .evaluation_due = true,
          .interim = false};
}

class CheckpointFolderTest : public testing::Test {
 protected:
  void save(std::int64_t step) {
    folder().save(state_at(step), model_at(step), optimizer_at(step));
  }
  CheckpointFolder folder(std::int64_t keep = 2, std::int64_t keep_every = 0) {
    return {path(), keep, keep_every};
  }
  [[nodiscard]] fs::path path() const { return temporary_.path() / "checkpoints"; }
  [[nodiscard]] fs::path file(std::int64_t step, const std::string& name) {
    return folder().path_of(step) / name;
  }

  /// A checkpoint of that step with other weights.
  void folder_with(std::int64_t step, std::int64_t value) {
    folder().save(state_at(step), model_at(value), optimizer_at(value));
  }
  static std::int64_t weight_of(const std::optional<Checkpoint>& checkpoint) {
    return checkpoint->model.at("student_video.norm.num_batches_tracked").item<std::int64_t>();
  }
  void rename(std::int64_t step, const std::string& ending) {
    const auto from = path() / fmt::format("step_{:08}", step);
    fs::rename(from, from.string() + ending);
  }
  void point_last_to(const std::string& name) {
    fs::remove(path() / "last");
    fs::create_symlink(name, path() / "last");
  }
  /// A link to itself cannot be opened, by the superuser neither; a bad mount ends the same way.
  void make_unreadable(std::int64_t step) {
    const auto state = path() / fmt::format("step_{:08}", step) / "state.json";
    fs::rename(state, temporary_.path() / "aside");
    fs::create_symlink("state.json", state);
  }
  /// Wherever the folder of that state lies by now.
  void make_readable() {
    for (const auto& entry : fs::directory_iterator(path())) {
      const auto state = entry.path() / "state.json";
      if (!fs::is_symlink(entry.path()) && fs::is_symlink(state)) {
        fs::remove(state);
        fs::rename(temporary_.path() / "aside", state);
        return;
      }
    }
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(path()))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

  TemporaryFolder temporary_;
};

void flip_bit(const fs::path& file, std::uint64_t at) {
  auto bytes = read_file(file);
  bytes.at(at) = static_cast<char>(bytes.at(at) ^ 1);
  std::ofstream(file, std::ios::binary) << bytes;
}

template <class Exception>
std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST_F(CheckpointFolderTest, GivesBackWhatWasSaved) {
  save(12);
  const auto checkpoint = folder().newest_whole();
  ASSERT_TRUE(checkpoint.has_value());
  EXPECT_EQ(checkpoint->folder.filename(), "step_00000012");
  EXPECT_EQ(checkpoint->state.step, 12);
  EXPECT_EQ(checkpoint->state.position, (data::LoaderPosition{.epoch = 2, .batch = 12}));
  EXPECT_EQ(checkpoint->state.seed, 7U);
  EXPECT_EQ(checkpoint->state.config, state_at(12).config);
  EXPECT_EQ(checkpoint->state.numbers, state_at(12).numbers);  // exact, float32 sums included
  EXPECT_EQ(checkpoint->state.data_hash, "00ff");
  EXPECT_EQ(checkpoint->state.batches_per_epoch, 31);
  EXPECT_EQ(checkpoint->state.threads, 3);
  EXPECT_TRUE(checkpoint->state.evaluation_due);
  EXPECT_TRUE(
      torch::equal(checkpoint->model.at("student_video.weight"), torch::full({4, 3}, 12.0)));
  EXPECT_EQ(checkpoint->model.at("student_video.norm.num_batches_tracked").item<std::int64_t>(),
            12);
  EXPECT_EQ(checkpoint->optimizer.at("video.step").item<float>(), 12.0F);
}

TEST_F(CheckpointFolderTest, NothingSavedIsNothingFound) {
  EXPECT_FALSE(folder().newest_whole().has_value());
}

TEST_F(CheckpointFolderTest, LastPointsToTheNewest) {
  save(1);
  save(2);
  EXPECT_EQ(fs::read_symlink(path() / "last"), "step_00000002");
  EXPECT_EQ(read_checkpoint(path() / "last").state.step, 2);
}

TEST_F(CheckpointFolderTest, AnInterimCheckpointGoesWhenALaterOneIsWritten) {
  auto checkpoints = folder(/*keep=*/2, /*keep_every=*/3);
  const auto save_at = [&](std::int64_t step, bool interim) {
    auto state = state_at(step);
    state.interim = interim;
    checkpoints.save(state, model_at(step), optimizer_at(step));
  };
  save_at(0, true);
  EXPECT_THAT(checkpoints.steps(), ElementsAre(0));
  save_at(10, false);
  save_at(20, false);
  save_at(21, true);
  EXPECT_THAT(checkpoints.steps(), ElementsAre(10, 20, 21));
  EXPECT_THAT(checkpoints.newest_regular(5), ElementsAre(10, 20, 21));
  save_at(24, true);
  EXPECT_THAT(checkpoints.steps(), ElementsAre(10, 20, 24));
  EXPECT_THAT(checkpoints.newest_regular(2), ElementsAre(20, 24));
  save_at(30, false);
  EXPECT_THAT(checkpoints.steps(), ElementsAre(20, 30));
}

TEST_F(CheckpointFolderTest, ADamagedOneIsLeftOutOfTheNewest) {
  auto checkpoints = folder(/*keep=*/3);
  for (const std::int64_t step : {10, 20, 30})
    checkpoints.save(state_at(step), model_at(step), optimizer_at(step));
  flip_bit(file(20, "model.safetensors"), 200);
  EXPECT_THAT(checkpoints.newest_regular(2), ElementsAre(10, 30));
  EXPECT_TRUE(fs::exists(path() / "step_00000020.damaged"));
}

TEST_F(CheckpointFolderTest, KeepsTheNewestAndEveryNth) {
  auto checkpoints = folder(/*keep=*/2, /*keep_every=*/30);
  for (const std::int64_t step : {10, 20, 30, 40, 50, 60, 70}) {
    checkpoints.save(state_at(step), model_at(step), optimizer_at(step));
  }
  EXPECT_THAT(checkpoints.steps(), ElementsAre(30, 60, 70));
}

TEST_F(CheckpointFolderTest, RemovesWhatAnInterruptedWriteLeft) {
  fs::create_directories(path() / "step_00000005.tmp");
  std::ofstream(path() / "step_00000005.tmp" / "model.safetensors") << "half";
  EXPECT_FALSE(folder().newest_whole().has_value());
  EXPECT_FALSE(fs::exists(path() / "step_00000005.tmp"));
}

TEST_F(CheckpointFolderTest, ADamagedFileIsNamedAndItsPredecessorUsed) {
  for (const std::string name : {"model.safetensors", "optimizer.safetensors", "state.json"}) {
    for (const bool truncate : {false, true}) {
      save(1);
      save(2);
      const auto size = fs::file_size(file(2, name));
      if (truncate) {
        fs::resize_file(file(2, name), size - 5);
      } else {
        flip_bit(file(2, name), size / 2);
      }
      EXPECT_THAT(message_of<CheckpointError>([&] { read_checkpoint(folder().path_of(2)); }),
                  HasSubstr("step_00000002/" + name));
      const auto checkpoint = folder().newest_whole();
      ASSERT_TRUE(checkpoint.has_value()) << name;
      EXPECT_EQ(checkpoint->state.step, 1) << name;
      EXPECT_THAT(folder().steps(), ElementsAre(1)) << "the damaged one was not set aside";
      fs::remove_all(path());
    }
  }
}

TEST_F(CheckpointFolderTest, AFolderWithoutAStateIsNoCheckpoint) {
  fs::create_directories(path() / "run");
  EXPECT_THAT(message_of<CheckpointError>([&] { read_checkpoint(path() / "run"); }),
              HasSubstr("run: is no checkpoint, nor a run that has saved one"));
}

TEST_F(CheckpointFolderTest, EveryBitOfTheStateCounts) {
  save(1);
  const auto state = file(1, "state.json");
  const auto content = read_file(state);
  for (std::uint64_t at = 0; at < content.size(); at += 7) {
    flip_bit(state, at);
    const auto damaged = read_file(state);
    // White space outside of strings carries nothing.
    if (content[at] != ' ' && content[at] != '\n') {
      EXPECT_THROW(read_checkpoint(folder().path_of(1)), CheckpointError) << damaged;
    }
    flip_bit(state, at);
  }
}

// What a kill leaves between two calls of save().

TEST_F(CheckpointFolderTest, TheBestStaysUntilThereIsABetterOne) {
  auto checkpoints = folder(/*keep=*/2);
  const auto save_at = [&](std::int64_t step, std::int64_t best, bool interim = false) {
    auto state = state_at(step);
    state.interim = interim;
    state.best = BestSoFar{.step = best, .value = 0.25, .evaluations_since = step - best};
    checkpoints.save(state, model_at(step), optimizer_at(step));
  };
  save_at(1, 1);
  save_at(2, 1);
  save_at(3, 1);
  save_at(4, 1);
  EXPECT_THAT(checkpoints.steps(), ElementsAre(1, 3, 4));
  EXPECT_EQ(fs::read_symlink(path() / "best"), "step_00000001");
  EXPECT_EQ(read_checkpoint(path() / "best").state.step, 1);
  const auto kept = checkpoints.newest_whole()->state.best;
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->step, 1);
  EXPECT_EQ(kept->value, 0.25);
  EXPECT_EQ(kept->evaluations_since, 3);
  save_at(5, 5, /*interim=*/true);
  EXPECT_EQ(fs::read_symlink(path() / "best"), "step_00000005");
  EXPECT_THAT(checkpoints.steps(), ElementsAre(3, 4, 5));
  save_at(6, 5);
  save_at(7, 5);
  EXPECT_THAT(checkpoints.steps(), ElementsAre(5, 6, 7)) << "it does not count as one of two";
  EXPECT_THAT(checkpoints.newest_regular(3), ElementsAre(6, 7));
  save_at(8, 8);
  EXPECT_THAT(checkpoints.steps(), ElementsAre(7, 8));
  EXPECT_THAT(names(), ElementsAre("best", "last", "step_00000007", "step_00000008"));
}

TEST_F(CheckpointFolderTest, AProcessThatGoesOnKnowsTheBest) {
  for (const std::int64_t step : {1, 2, 3}) {
    auto state = state_at(step);
    state.best = BestSoFar{.step = 1, .value = 1};
    folder(/*keep=*/3).save(state, model_at(step), optimizer_at(step));
  }
  fs::remove(path() / "best");  // killed before it pointed there
  auto next = folder(/*keep=*/2);
  next.go_on_from(3);
  EXPECT_EQ(fs::read_symlink(path() / "best"), "step_00000001");
  next.settle();
  EXPECT_THAT(next.steps(), ElementsAre(1, 2, 3));
}

TEST_F(CheckpointFolderTest, LastIsRightAgainWhenTheRunGoesOn) {
  save(1);
  save(2);
  point_last_to("step_00000001");
  auto checkpoints = folder();
  checkpoints.go_on_from(checkpoints.newest_whole()->state.step);
  EXPECT_EQ(fs::read_symlink(path() / "last"), "step_00000002");
}

TEST_F(CheckpointFolderTest, WhatAKilledProcessDidNotCleanUpGoesAtTheEnd) {
  auto checkpoints = folder(/*keep=*/5);
  for (const std::int64_t step : {1, 2, 3})
    checkpoints.save(state_at(step), model_at(step), optimizer_at(step));
  auto next = folder(/*keep=*/2);
  next.go_on_from(next.newest_whole()->state.step);
  point_last_to("step_00000002");
  next.settle();
  EXPECT_THAT(next.steps(), ElementsAre(2, 3));
  EXPECT_EQ(fs::read_symlink(path() / "last"), "step_00000003");
}

TEST_F(CheckpointFolderTest, ReadersOfLastTakeALaterWholeOne) {
  for (const std::int64_t step : {1, 2, 3})
    folder(/*keep=*/3).save(state_at(step), model_at(step), optimizer_at(step));
  const auto last = path() / "last";
  point_last_to("step_00000001");
  EXPECT_EQ(read_checkpoint(last).state.step, 3);
  EXPECT_EQ(last_step(temporary_.path()), 3);
  EXPECT_EQ(resolve_checkpoint(last), fs::canonical(path() / "step_00000003"));
  flip_bit(file(3, "model.safetensors"), 200);
  EXPECT_EQ(read_checkpoint(last).state.step, 2);
  point_last_to("step_00000004");  // to nothing
  EXPECT_EQ(read_checkpoint(last).state.step, 2);
  EXPECT_EQ(read_checkpoint(path() / "last" / "").state.step, 2);
  EXPECT_EQ(read_checkpoint(path() / "step_00000001").state.step, 1)
      << "a step that was asked for is given";
}

TEST_F(CheckpointFolderTest, AStepThatIsWholeUnderAnotherNameIsPutBack) {
  for (const std::string ending : {kNewEnding, kReplacedEnding, kRemovedEnding}) {
    save(1);
    save(2);
    rename(2, ending);
    EXPECT_EQ(folder().newest_whole()->state.step, 2) << ending;
    EXPECT_EQ(read_checkpoint(path() / "last").state.step, 2) << ending;
    EXPECT_THAT(names(), ElementsAre("last", "step_00000001", "step_00000002")) << ending;
    fs::remove_all(path());
  }
}

TEST_F(CheckpointFolderTest, OfTwoWholeOnesTheOneBeingWrittenIsPutBack) {
  save(2);
  fs::copy(path() / "step_00000002", temporary_.path() / "before");
  folder_with(2, 99);
  rename(2, kNewEnding);
  fs::rename(temporary_.path() / "before",
             path() / (std::string("step_00000002") + kReplacedEnding));
  EXPECT_EQ(weight_of(folder().newest_whole()), 99);
  EXPECT_THAT(names(), ElementsAre("last", "step_00000002"));
}

TEST_F(CheckpointFolderTest, APartIsRemovedAndTheWholeOneStands) {
  for (const std::string ending : {kNewEnding, kReplacedEnding, kRemovedEnding}) {
    folder_with(2, 99);
    flip_bit(file(2, "model.safetensors"), 200);
    rename(2, ending);
    save(2);
    EXPECT_EQ(weight_of(folder().newest_whole()), 2) << ending;
    EXPECT_THAT(names(), ElementsAre("last", "step_00000002")) << ending;
  }
}

TEST_F(CheckpointFolderTest, AWholeOneTakesTheNameOfADamagedOne) {
  save(2);
  fs::copy(path() / "step_00000002", path() / (std::string("step_00000002") + kNewEnding));
  flip_bit(path() / "step_00000002" / "model.safetensors", 200);
  EXPECT_EQ(weight_of(folder().newest_whole()), 2);
  EXPECT_THAT(names(), ElementsAre("last", "step_00000002", "step_00000002.damaged"));
}

TEST_F(CheckpointFolderTest, SavingTheSameTensorsAgainReplacesTheStateAlone) {
  save(2);
  const auto before = fs::last_write_time(file(2, "model.safetensors"));
  auto state = state_at(2);
  state.evaluation_due = false;
  folder().save(state, model_at(2), optimizer_at(2));
  EXPECT_EQ(fs::last_write_time(file(2, "model.safetensors")), before);
  EXPECT_FALSE(folder().newest_whole()->state.evaluation_due);
  EXPECT_THAT(names(), ElementsAre("last", "step_00000002"));
}

// A long state takes long to read: in the tests of live runs the folder has often gone or been
// replaced before its tensors are opened.
TrainState long_state_at(std::int64_t step) {
  auto state = state_at(step);
  for (int i = 0; i < 20'000; ++i) state.config[fmt::format("key_{:06}", i)] = "value";
  return state;
}

TEST_F(CheckpointFolderTest, AReaderNeverMeetsAStepThatIsBeingReplaced) {
  const auto state = long_state_at(2);
  const auto save_value = [&](std::int64_t value) {
    folder().save(state, model_at(value), optimizer_at(value));
  };
  save_value(2);
  std::jthread writer([&](const std::stop_token& stop) {
    for (std::int64_t value = 3; !stop.stop_requested(); ++value) save_value(value);
  });
  for (int i = 0; i < 30; ++i) {
    EXPECT_NO_THROW({
      const auto checkpoint = read_checkpoint(path() / "last");
      EXPECT_EQ(checkpoint.model.at("student_video.weight")[0][0].item<float>(),
                checkpoint.optimizer.at("video.step").item<float>());
    });
  }
}

TEST_F(CheckpointFolderTest, AReaderGoesOnToTheNextStepWhenItsOwnIsRemoved) {
  auto state = long_state_at(1);
  folder(/*keep=*/1).save(state, model_at(1), optimizer_at(1));
  std::jthread writer([&](const std::stop_token& stop) {
    auto checkpoints = folder(/*keep=*/1);
    while (!stop.stop_requested()) {
      ++state.step;
      checkpoints.save(state, model_at(state.step), optimizer_at(state.step));
    }
  });
  for (int i = 0; i < 30; ++i) {
    EXPECT_NO_THROW(read_checkpoint(path() / "last"));
    EXPECT_NO_THROW(LastCheckpoint(temporary_.path()).read());
  }
}

TEST_F(CheckpointFolderTest, ReadersTakeAWholeStepThatWaitsForItsName) {
  save(1);
  save(2);
  fs::copy(path() / "step_00000002", temporary_.path() / "before");
  folder_with(2, 99);
  rename(2, kNewEnding);
  const auto replaced = path() / (std::string("step_00000002") + kReplacedEnding);
  fs::rename(temporary_.path() / "before", replaced);
  const auto value_of = [&](const fs::path& checkpoint) {
    return weight_of(read_checkpoint(checkpoint));
  };
  EXPECT_EQ(value_of(path() / "last"), 99);
  EXPECT_EQ(value_of(path() / "step_00000002"), 99);
  EXPECT_TRUE(exists_or_waits(path() / "step_00000002"));
  EXPECT_EQ(last_step(temporary_.path()), 2);
  flip_bit(path() / "step_00000002.tmp" / "model.safetensors", 200);
  EXPECT_EQ(value_of(path() / "last"), 2);
  flip_bit(replaced / "model.safetensors", 200);
  EXPECT_EQ(value_of(path() / "last"), 1);
  EXPECT_FALSE(exists_or_waits(path() / "step_00000003"));
}

// NFS: for a moment neither the old nor the new one has the name.
TEST_F(CheckpointFolderTest, AReaderNeverSeesAnEarlierStepWhereNamesCannotBeExchanged) {
  save(1);
  save(2);
  const auto there = path() / "step_00000002";
  fs::copy(there, temporary_.path() / "copy");
  std::jthread writer([&](const std::stop_token& stop) {
    const auto fresh = path() / "step_00000002.tmp",
               replaced = path() / "step_00000002.replaced.tmp";
    while (!stop.stop_requested()) {
      fs::create_directory(fresh);
      for (const char* name : {"model.safetensors", "optimizer.safetensors", "state.json"})
        fs::copy_file(temporary_.path() / "copy" / name, fresh / name);
      replace_folder(fresh, there, [](const auto&, const auto&) { return false; });
      fs::remove_all(replaced);
    }
  });
  for (int i = 0; i < 300; ++i) {
    EXPECT_NO_THROW(EXPECT_EQ(read_checkpoint(path() / "last").state.step, 2));
    EXPECT_NO_THROW(EXPECT_EQ(read_checkpoint(there).state.step, 2));
  }
}

TEST_F(CheckpointFolderTest, EachCandidateForLastIsOpenedOnce) {
  for (const std::int64_t step : {1, 2, 3})
    folder(/*keep=*/3).save(state_at(step), model_at(step), optimizer_at(step));
  point_last_to("step_00000001");
  const auto newest = file(3, "model.safetensors");
  OpenCount openings(newest);
  LastCheckpoint last(temporary_.path());
  EXPECT_EQ(last.step(), 3);
  EXPECT_EQ(last.read().state.step, 3);
  EXPECT_EQ(openings.take(), 1);
  EXPECT_EQ(read_checkpoint(path() / "last").state.step, 3);
  EXPECT_EQ(openings.take(), 1);
}

TEST_F(CheckpointFolderTest, WhereNamesCannotBeExchangedBothStayWhole) {
  save(2);
  const auto fresh = path() / "step_00000002.tmp", there = path() / "step_00000002";
  fs::copy(there, fresh);
  std::ofstream(fresh / "new");
  replace_folder(fresh, there, [](const auto&, const auto&) { return false; });
  EXPECT_TRUE(fs::exists(there / "new"));
  EXPECT_EQ(read_checkpoint(path() / "step_00000002.replaced.tmp").state.step, 2);
  // When the new one cannot come, the old one has its name again.
  EXPECT_THROW(
      replace_folder(path() / "nothing", there, [](const auto&, const auto&) { return false; }),
      SystemError);
  EXPECT_TRUE(fs::exists(there / "new"));
}

TEST_F(CheckpointFolderTest, WhatWasWrittenLastStaysBesideOneThatWasRefused) {
  save(1);
  save(99);
  // Of another owner, on a bad mount: it cannot be read, and nobody knows whether it is whole.
  make_unreadable(99);
  auto checkpoints = folder(/*keep=*/1);
  checkpoints.go_on_from(checkpoints.newest_whole()->state.step);
  EXPECT_THAT(checkpoints.steps(), ElementsAre(1, 99));
  auto interim = state_at(3);
  interim.interim = true;
  checkpoints.save(interim, model_at(3), optimizer_at(3));
  EXPECT_THAT(checkpoints.steps(), ElementsAre(1, 3));
  EXPECT_TRUE(fs::is_directory(path() / "step_00000099.abandoned"));
  checkpoints.save(state_at(5), model_at(5), optimizer_at(5));
  EXPECT_THAT(checkpoints.steps(), ElementsAre(5));
  EXPECT_EQ(fs::read_symlink(path() / "last"), "step_00000005");
  EXPECT_THAT(checkpoints.newest_regular(3), ElementsAre(5));
}

// A bad mount for a while: what was not readable when the run went on is not of this run.
TEST_F(CheckpointFolderTest, AnAbandonedOneIsNobodysNewestOnceItCanBeReadAgain) {
  save(200);
  save(300);
  make_unreadable(300);
  auto checkpoints = folder();
  checkpoints.go_on_from(checkpoints.newest_whole()->state.step);
  checkpoints.save(state_at(250), model_at(250), optimizer_at(250));
  checkpoints.settle();
  make_readable();
  EXPECT_THAT(folder().newest_regular(5), ElementsAre(200, 250));
  EXPECT_EQ(folder().newest_whole()->state.step, 250);
  EXPECT_EQ(read_checkpoint(path() / "last").state.step, 250);
  // A run that could not set it aside at least makes no mean of it.
  fs::rename(path() / "step_00000300.abandoned", path() / "step_00000300");
  EXPECT_THAT(folder().newest_regular(5), ElementsAre(200, 250));
}

TEST_F(CheckpointFolderTest, AMeanIsMadeWithoutOneThatCannotBeRead) {
  auto checkpoints = folder(/*keep=*/3);
  for (const std::int64_t step : {10, 20, 30})
    checkpoints.save(state_at(step), model_at(step), optimizer_at(step));
  make_unreadable(20);
  EXPECT_THAT(checkpoints.newest_regular(3), ElementsAre(10, 30));
  EXPECT_TRUE(fs::exists(path() / "step_00000020")) << "it may be whole";
}

TEST_F(CheckpointFolderTest, ADamagedOneDoesNotCountAmongThoseKept) {
  auto before = folder(/*keep=*/3);
  for (const std::int64_t step : {10, 20, 30})
    before.save(state_at(step), model_at(step), optimizer_at(step));
  flip_bit(file(20, "model.safetensors"), 200);
  auto checkpoints = folder(/*keep=*/3);
  checkpoints.go_on_from(checkpoints.newest_whole()->state.step);
  checkpoints.save(state_at(40), model_at(40), optimizer_at(40));
  EXPECT_THAT(checkpoints.steps(), ElementsAre(10, 30, 40));
  checkpoints.save(state_at(50), model_at(50), optimizer_at(50));
  EXPECT_THAT(checkpoints.steps(), ElementsAre(30, 40, 50));
}

TEST_F(CheckpointFolderTest, AStepUnderTheNameOfAnotherIsRefused) {
  save(1);
  save(2);
  fs::rename(path() / "step_00000002", path() / "step_00000007");
  EXPECT_EQ(folder().newest_whole()->state.step, 1);
  EXPECT_TRUE(fs::exists(path() / "step_00000007.damaged"));
}

TEST_F(CheckpointFolderTest, WhatWasReadIsWhatWasHashed) {
  save(2);
  const auto checkpoint = read_checkpoint(path() / "last");
  const auto hash = checksum_file(checkpoint.folder / "model.safetensors");
  folder_with(2, 99);
  EXPECT_EQ(checkpoint.model.mapping->checksum(), hash);
  EXPECT_NE(checksum_file(checkpoint.folder / "model.safetensors"), hash);
}

TEST_F(CheckpointFolderTest, AMissingFileIsNamed) {
  save(1);
  fs::remove(file(1, "optimizer.safetensors"));
  EXPECT_THAT(message_of<CheckpointError>([&] { read_checkpoint(folder().path_of(1)); }),
              HasSubstr("optimizer.safetensors: no such file"));
}

TEST_F(CheckpointFolderTest, DoesNotStartAgainWhenAllAreDamaged) {
  save(1);
  save(2);
  for (const std::int64_t step : {1, 2}) fs::resize_file(file(step, "model.safetensors"), 3);
  const auto message = message_of<CheckpointError>([&] { folder().newest_whole(); });
  EXPECT_THAT(message, HasSubstr("step_00000001/model.safetensors"));
  EXPECT_THAT(message, HasSubstr("step_00000002/model.safetensors"));
}

TEST_F(CheckpointFolderTest, OneThatCannotBeReadIsPassedOverAndLeftInPlace) {
  save(1);
  save(2);
  make_unreadable(2);
  EXPECT_EQ(folder().newest_whole()->state.step, 1);
  EXPECT_THAT(folder().steps(), ElementsAre(1, 2));
  make_readable();
  EXPECT_EQ(folder().newest_whole()->state.step, 2);
}

TEST_F(CheckpointFolderTest, AWholeCheckpointWithoutItsLinkIsNotCalledUnwritten) {
  save(1);
  fs::remove(path() / "last");
  fs::create_directories(path() / "last" / "in the way");
  const auto message = message_of<SystemError>([&] { save(2); });
  EXPECT_THAT(message, HasSubstr("step_00000002 is whole"));
  EXPECT_THAT(message, HasSubstr("`last` or `best` does not point to it"));
  EXPECT_EQ(folder().newest_whole()->state.step, 2);
}

TEST(DataHash, TellsOtherIdsCountsAndOrders) {
  data::Utterance a, b;
  a.id = "a";
  a.frames = 10;
  b.id = "b";
  b.frames = 20;
  const auto hash = [](const std::vector<data::Utterance>& utterances) {
    return data_hash({.file = "x.tsv", .utterances = utterances});
  };
  auto longer = b;
  longer.frames = 21;
  auto moved = b;
  moved.video.file = "/elsewhere/b.mp4";
  EXPECT_EQ(hash({a, b}), hash({a, moved}));
  EXPECT_NE(hash({a, b}), hash({b, a}));
  EXPECT_NE(hash({a, b}), hash({a, longer}));
  EXPECT_NE(hash({a, b}), hash({a}));
}

TEST_F(CheckpointFolderTest, AFullDiskLeavesTheOldOnes) {
  save(1);
  struct rlimit before {};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto ignore =
      std::signal(SIGXFSZ, SIG_IGN);  // a write beyond the limit then fails as on a full disk
  const struct rlimit tiny { 100, before.rlim_max };
  setrlimit(RLIMIT_FSIZE, &tiny);
  const auto message = message_of<SystemError>([&] { save(2); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, ignore);
  EXPECT_THAT(message, HasSubstr("step_00000002"));
  EXPECT_THAT(message, HasSubstr("earlier ones stand"));
  EXPECT_FALSE(fs::exists(path() / "step_00000002.tmp"));
  EXPECT_EQ(folder().newest_whole()->state.step, 1);
}

TEST_F(CheckpointFolderTest, APlaceThatCannotBeWrittenIsAnErrorWithItsName) {
  save(1);
  auto checkpoints = folder();
  // A file where the new folder's parent was: refuses the superuser too, whom permissions do not
  // stop.
  fs::rename(path(), temporary_.path() / "aside");
  std::ofstream(path()) << "x";
  EXPECT_THAT(
      message_of<SystemError>([&] { checkpoints.save(state_at(2), model_at(2), optimizer_at(2)); }),
      HasSubstr(checkpoints.path_of(2).string()));
  fs::remove(path());
  fs::rename(temporary_.path() / "aside", path());
  EXPECT_EQ(folder().newest_whole()->state.step, 1);
}

TEST_F(CheckpointFolderTest, ARunThatWentBackReplacesALaterCheckpoint) {
  save(1);
  save(2);
  folder().save(state_at(2), model_at(99), optimizer_at(2));
  EXPECT_EQ(
      read_checkpoint(folder().path_of(2)).model.at("student_video.weight")[0][0].item<float>(),
      99.0F);
  EXPECT_THAT(folder().steps(), ElementsAre(1, 2));
}

TEST(LoadStrictly, ListsEveryNameThatDoesNotFit) {
  const weights::TensorFile file{
      .tensors = {{"a", torch::zeros({2})}, {"b", torch::zeros({3})}, {"extra", torch::zeros({1})}},
      .metadata = {}};
  const nn::StateDict into{
      {"a", torch::ones({2})}, {"b", torch::ones({4})}, {"absent", torch::ones({1})}};
  const auto message =
      message_of<CheckpointError>([&] { load_strictly(file, into, "x/model.safetensors"); });
  EXPECT_THAT(message, HasSubstr("x/model.safetensors"));
  EXPECT_THAT(message, HasSubstr("missing     absent"));
  EXPECT_THAT(message, HasSubstr("unexpected  extra"));
  EXPECT_THAT(message, HasSubstr("other shape b: (3) in the file, (4) in the model"));
  EXPECT_TRUE(torch::equal(into[0].second, torch::ones({2}))) << "something was copied";
}

}  // namespace
}  // namespace raven::artifacts
