#include "raven/corpus/faces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace raven::corpus {
namespace {

using testing::ElementsAre;

/// Faces whose points are all (value, 2 value).
Faces faces_at(const std::vector<double>& values) {
  std::vector<FacePoints> faces;
  for (const auto value : values) faces.emplace_back().fill({value, 2 * value});
  return faces_of(faces);
}

std::vector<double> first_x(const Faces& faces) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < faces.count; ++i) values.push_back(faces.at(i)[0].x);
  return values;
}

TEST(Faces, FillGapsBetweenDetectionsAndCopyTheNearestAtTheEnds) {
  const auto filled = fill_gaps(faces_at({-1, -1, 4, -1, -1, -1, 8, -1, 9, -1}), {2, 6, 8});
  EXPECT_THAT(first_x(filled), ElementsAre(4, 4, 4, 5, 6, 7, 8, 8.5, 9, 9));
  EXPECT_EQ(filled.at(4)[67].y, 12);
}

TEST(Faces, FillGapsByTimeWhereFramesAreUneven) {
  const auto faces = faces_at({0, -1, -1, 10, -1, 12});
  const auto filled = fill_gaps(faces, {0, 3, 5}, {0, 0.1, 0.6, 1, 1.5});
  // The last frame has no time, so that gap is taken to be even.
  EXPECT_THAT(first_x(filled), ElementsAre(0, 1, 6, 10, 11, 12));
}

TEST(Faces, FillGapsTheSameByEvenTimesAsWithoutAny) {
  std::vector<double> starts;
  for (int i = 0; i < 200; ++i) starts.push_back(i);
  std::vector<double> values(200, 0);
  values[199] = 1.0 / 3;
  EXPECT_EQ(first_x(fill_gaps(faces_at(values), {0, 199}, starts)),
            first_x(fill_gaps(faces_at(values), {0, 199})));
}

}  // namespace
}  // namespace raven::corpus
