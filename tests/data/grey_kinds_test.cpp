#include "raven/data/grey_kinds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace raven::data {
namespace {

using corpus::Grey;
using testing::HasSubstr;

Manifest list_of(const std::vector<Grey>& kinds) {
  Manifest manifest{.file = "/d/m.tsv", .utterances = {}};
  for (const auto grey : kinds) {
    Utterance utterance;
    utterance.video.file = "/d/a.mp4";
    utterance.grey = grey;
    manifest.utterances.push_back(utterance);
  }
  return manifest;
}

TEST(GreyKinds, AreCountedOfPictures) {
  auto manifest = list_of({Grey::kLuma, Grey::kPublished, Grey::kColour});
  manifest.utterances.emplace_back();  // sound alone
  EXPECT_EQ(grey_kinds(manifest).luma, 1);
  EXPECT_EQ(grey_kinds(manifest).published, 2);
}

TEST(GreyKinds, AreToldWhereTheyAreMixed) {
  EXPECT_EQ(tell_mixed_grey(list_of({Grey::kLuma, Grey::kLuma})), "");
  EXPECT_EQ(tell_mixed_grey(list_of({Grey::kColour, Grey::kPublished})), "");
  EXPECT_THAT(tell_mixed_grey(list_of({Grey::kColour, Grey::kPublished, Grey::kLuma})),
              HasSubstr("/d/m.tsv: 2 clips have published grey and 1 luma"));
}

TEST(GreyKinds, OfLumaAreToldToPublishedWeights) {
  EXPECT_EQ(tell_luma(list_of({Grey::kPublished, Grey::kColour}), "vsr.pth"), "");
  EXPECT_THAT(tell_luma(list_of({Grey::kPublished, Grey::kLuma, Grey::kLuma}), "vsr.pth"),
              testing::AllOf(HasSubstr("/d/m.tsv: 2 of 3 clips are luma"), HasSubstr("vsr.pth"),
                             HasSubstr("--grey published")));
}

}  // namespace
}  // namespace raven::data
