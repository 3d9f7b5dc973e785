#include "raven/doctor/landmark_model.h"

#include <gmock/gmock.h>

#include <fstream>

#include "doctor/find.h"
#include "support/temporary_folder.h"

namespace raven::doctor {
namespace {

using testing::HasSubstr;

TEST(LandmarkModel, OneThatIsThereIsFineAndOneThatIsNotAWarning) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "points.dat";
  const auto missing = check_landmark_model(try_landmark_model(file));
  EXPECT_EQ(level(missing, "faces.model"), Level::kWarning);
  EXPECT_THAT(find(missing, "faces.model").what, HasSubstr("No such file"));
  EXPECT_THAT(find(missing, "faces.model").remedy, HasSubstr("libdlib-data"));
  expect_explained(missing);

  std::ofstream(file) << std::string(2048, '.');
  const auto there = check_landmark_model(try_landmark_model(file));
  EXPECT_EQ(level(there, "faces.model"), Level::kOk);
  EXPECT_THAT(find(there, "faces.model").what, HasSubstr("points.dat, 2 KiB"));
}

}  // namespace
}  // namespace raven::doctor
