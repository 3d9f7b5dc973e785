#include "corpus/landmark_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "raven/core/error.h"

namespace raven::corpus {
namespace {

using testing::HasSubstr;

/// `first` columns, then x and y of each point as OpenFace orders them.
std::string header(const std::string& first, const char* joint = "_") {
  auto line = first;
  for (const auto* axis : {"x", "y"}) {
    for (int i = 0; i < 68; ++i) line += fmt::format(", {}{}{}", axis, joint, i);
  }
  return line + "\n";
}

/// Point i at (i + `shift`, 2 i).
std::string row(const std::string& first, double shift = 0) {
  auto line = first;
  for (int i = 0; i < 68; ++i) line += fmt::format(",{}", i + shift);
  for (int i = 0; i < 68; ++i) line += fmt::format(",{}", 2 * i);
  return line + "\n";
}

std::string refusal(const std::string& table) {
  try {
    read_landmark_table(table, "a.csv");
  } catch (const DataError& error) {
    return std::string(error.what()) + " [" + error.reason() + "]";
  }
  return "accepted";
}

TEST(LandmarkTable, OfOpenFaceIsRead) {
  const auto faces = read_landmark_table(
      header("frame, face_id, timestamp, confidence, success") + row("1, 0, 0.0, 0.98, 1", 0.5) +
          row("3, 0, 0.08, 0.2, 0") + row("4, 0, 0.12, 0.9, 1", 7),
      "a.csv");
  ASSERT_EQ(faces.count, 4);
  EXPECT_DOUBLE_EQ(faces.at(0)[67].x, 67.5);
  EXPECT_DOUBLE_EQ(faces.at(0)[67].y, 134);
  EXPECT_TRUE(std::isnan(faces.at(1)[0].x));  // no line
  EXPECT_TRUE(std::isnan(faces.at(2)[0].x));  // no success
  EXPECT_DOUBLE_EQ(faces.at(3)[10].x, 17);
}

TEST(LandmarkTable, FramesCountFromZeroOrAreTheLines) {
  const auto numbered =
      read_landmark_table(header("frame", "") + row("2", 5) + row("0", 3), "a.csv");
  ASSERT_EQ(numbered.count, 3);
  EXPECT_DOUBLE_EQ(numbered.at(0)[0].x, 3);
  EXPECT_TRUE(std::isnan(numbered.at(1)[0].x));
  EXPECT_DOUBLE_EQ(numbered.at(2)[0].x, 5);
  const auto lines = read_landmark_table(header("note") + row("a", 1) + row("b", 2), "a.csv");
  ASSERT_EQ(lines.count, 2);
  EXPECT_DOUBLE_EQ(lines.at(1)[0].x, 2);
}

TEST(LandmarkTable, AnEmptyFieldIsNoFace) {
  auto line = row("0");
  line.replace(line.find(",5,"), 3, ",,");
  const auto faces = read_landmark_table(header("frame") + line, "a.csv");
  EXPECT_TRUE(std::isnan(faces.at(0)[5].x));
  line = row("0");
  line.replace(line.find(",134"), 4, ",");
  EXPECT_TRUE(std::isnan(read_landmark_table(header("frame") + line, "a.csv").at(0)[67].y));
}

TEST(LandmarkTable, RefusesOthersByLine) {
  const auto head = header("frame");
  EXPECT_THAT(refusal(""), HasSubstr("a.csv:1: is empty"));
  EXPECT_THAT(refusal(head), HasSubstr("holds no frames [no-face]"));
  EXPECT_THAT(refusal("frame,x_0,y_0\n0,1,2\n"), HasSubstr("a.csv:1: no column x_1"));
  EXPECT_THAT(refusal(head + row("0") + "1,2,3\n"),
              HasSubstr("a.csv:3: 3 fields, but the header has 137 [landmarks]"));
  EXPECT_THAT(refusal(head + row("0") + row("0")), HasSubstr("a.csv:3: a frame comes twice"));
  EXPECT_THAT(refusal(head + row("-1")), HasSubstr("does not number the frames"));
  EXPECT_THAT(refusal(head + row("1e300")), HasSubstr("does not number the frames"));
  EXPECT_THAT(refusal(head + row("0.5")), HasSubstr("does not number the frames"));
  EXPECT_THAT(refusal(head + row("")), HasSubstr("does not number the frames"));
  EXPECT_THAT(refusal(header("frame, success") + row("0, 1")),
              HasSubstr("does not number the frames"));
  EXPECT_THAT(refusal(head + row("0,1")), HasSubstr("138 fields"));
  EXPECT_THAT(refusal(header("note") + row("0").replace(2, 1, "one")),
              HasSubstr("a.csv:2: a field is no number"));
}

}  // namespace
}  // namespace raven::corpus
