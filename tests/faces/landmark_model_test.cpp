#include "raven/faces/landmark_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "faces/model_bytes.h"
#include "faces/shape_trees.h"
#include "raven/core/error.h"
#include "support/temporary_folder.h"

namespace raven::faces {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Model : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& bytes) const {
    std::ofstream(file(), std::ios::binary) << bytes;
    return file();
  }
  [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "model.dat"; }
  std::string refusal(const std::string& bytes) const {
    try {
      const LandmarkModel model(write(bytes));
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "accepted";
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(Model, MovesPointsByWhatItsTreesSeeInThePicture) {
  const LandmarkModel model(write(small_model()));
  std::vector<std::uint8_t> pixels(200 * 200, 50);
  const GreyView picture{.pixels = pixels.data(), .height = 200, .width = 200, .stride = 200};
  const FaceBox box{.left = 20, .top = 40, .right = 120, .bottom = 140};
  // Pixels at points 0 and 1: (20, 40) and (30, 40). Alike: 0.1 of 100 pixels down.
  EXPECT_NEAR(model.points(picture, box)[0].x, 20, 1e-3);
  EXPECT_NEAR(model.points(picture, box)[0].y, 50, 1e-3);
  pixels[40 * 200 + 20] = 61;  // 11 brighter: 0.05 of 100 pixels to the right
  EXPECT_NEAR(model.points(picture, box)[0].x, 25, 1e-3);
  EXPECT_NEAR(model.points(picture, box)[0].y, 40, 1e-3);
  EXPECT_NEAR(model.points(picture, box)[67].x, 95, 1e-3);
  EXPECT_NEAR(model.points(picture, box)[67].y, 100, 1e-3);
  pixels[40 * 200 + 20] = 60;
  EXPECT_NEAR(model.points(picture, box)[0].y, 50, 1e-3);
}

TEST_F(Model, TakesPixelsOutsideOfThePictureForBlack) {
  const LandmarkModel model(write(small_model()));
  const std::vector<std::uint8_t> pixels(100 * 100, 11);
  const GreyView picture{.pixels = pixels.data(), .height = 100, .width = 100, .stride = 100};
  // Point 0 in the last column, point 1 a pixel to the right.
  const FaceBox box{.left = 99, .top = 20, .right = 109, .bottom = 30};
  EXPECT_NEAR(model.points(picture, box)[0].x, 99.5, 1e-3);
  const FaceBox outside{.left = -5000, .top = 1e12, .right = -4900, .bottom = 1e12 + 100};
  EXPECT_NEAR(model.points(picture, outside)[0].x, -5000, 1e-3);
}

TEST_F(Model, RefusesWhatIsNone) {
  const auto whole = small_model();
  EXPECT_THAT(refusal(""), AllOf(HasSubstr(file().string()), HasSubstr("ends too early"),
                                 HasSubstr("libdlib-data"), HasSubstr("--landmark-model")));
  EXPECT_THAT(refusal("a text file\n"), HasSubstr("not of dlib's format"));
  EXPECT_THAT(refusal(whole + "x"), HasSubstr("follows after its end"));
  EXPECT_THAT(refusal(small_model({.version = 2})), HasSubstr("version 1"));
  EXPECT_THAT(refusal(small_model({.first = 2})), HasSubstr("a pixel that is not there"));
  EXPECT_THAT(refusal(small_model({.first = 1LL << 40})), HasSubstr("expected 0 to"));
  EXPECT_THAT(refusal(small_model({.anchor = 68})), HasSubstr("expected 0 to 67"));
  EXPECT_THAT(refusal(small_model({.leaves = 1LL << 50})), HasSubstr("leaves in a tree"));
  EXPECT_THAT(refusal(small_model({.places = 1LL << 50})), HasSubstr("pixels in a level"));
  EXPECT_THAT(refusal(small_model({.grid = 0})), HasSubstr("one spot"));
  EXPECT_THAT(refusal(small_model({.grid = 1e9})), HasSubstr("too large"));
  EXPECT_EQ(refusal(whole), "accepted");
}

TEST_F(Model, RefusesEveryFileThatIsCutOff) {
  const auto whole = small_model();
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_THROW(read_shape_trees(std::string_view(whole).substr(0, size)), DataError) << size;
}

TEST_F(Model, NamesAFileThatIsMissing) {
  try {
    const LandmarkModel model(file());
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("no such landmark model"), HasSubstr("libdlib-data"),
                                    Not(HasSubstr("\n"))));
  }
}

TEST_F(Model, OfDebianIsReadAndTellsItsLicence) {
  const LandmarkModel model(kDefaultLandmarkModel);
  EXPECT_THAT(model.licence(), AllOf(HasSubstr("CC0"), HasSubstr("commercial")));
  EXPECT_EQ(model.checksum().size(), 16U);
}

}  // namespace
}  // namespace raven::faces
