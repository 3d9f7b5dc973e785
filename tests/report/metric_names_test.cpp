#include "raven/report/metric_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raven/core/files.h"

namespace raven::report {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// A name of each kind that `metric` stands for.
std::vector<std::string> examples(const Metric& metric) {
  const auto open = metric.name.find('<');
  if (open == metric.name.npos) return {std::string(metric.name)};
  const auto placeholder = metric.name.substr(open);
  std::vector<std::string> members = {"corrupt", "frontend"};
  if (placeholder == "<loss>") members = {"v2v", "v2a", "a2a", "a2v"};
  if (placeholder == "<modality>") members = {"video", "audio"};
  if (placeholder == "<number>") members = {"0", "11"};
  std::vector<std::string> names;
  for (const auto& member : members) {
    names.push_back(std::string(metric.name.substr(0, open)) + member);
  }
  return names;
}

TEST(MetricNames, EachNameIsFoundAsItsOwnMetric) {
  for (const auto& metric : kMetrics) {
    for (const auto& name : examples(metric)) {
      const auto found = find_metric(name);
      ASSERT_TRUE(found.has_value()) << name;
      EXPECT_EQ(found->metric->name, metric.name) << name;
      EXPECT_THAT(found->label(), Not(HasSubstr("<"))) << name;
    }
  }
}

TEST(MetricNames, WhatTheTableDoesNotHoldIsUnknown) {
  for (const char* name : {"valid_wer", "v2x", "gain_", "gain_video", "probe_r2_v2a", "lr_", "",
                           "lossy", "probe_r2_video_", "skipped_"}) {
    EXPECT_FALSE(find_metric(name).has_value()) << name;
  }
}

TEST(MetricNames, MembersAreNamedAndLabelled) {
  EXPECT_EQ(metric("loss"), "loss");
  EXPECT_EQ(metric("gain_<loss>", "v2a"), "gain_v2a");
  const std::string block = metric("lr_<group>", "block_7");
  EXPECT_EQ(find_metric(block)->label(), "block 7");
  const auto probe = metric("valid_recognition_ctc_<modality>", "video");
  EXPECT_EQ(find_metric(probe)->label(), "held out, video");
}

TEST(MetricNames, EachIsOnAPanelOfItsUnitOrSaysWhyNot) {
  std::map<PanelId, Unit> units;
  for (const auto& panel : panels()) {
    EXPECT_TRUE(units.emplace(panel.id, panel.unit()).second) << panel.title << " twice";
  }
  std::set<PanelId> filled = {PanelId::kOther};
  for (const auto& metric : kMetrics) {
    if (metric.panel == PanelId::kNone) {
      EXPECT_THAT(std::string(metric.meaning), HasSubstr("not a curve")) << metric.name;
      continue;
    }
    ASSERT_EQ(units.count(metric.panel), 1U) << metric.name;
    EXPECT_EQ(units.at(metric.panel), metric.unit) << metric.name;
    EXPECT_FALSE(metric.label.empty()) << metric.name;
    filled.insert(metric.panel);
  }
  EXPECT_EQ(filled.size(), panels().size()) << "a panel of nothing";
}

TEST(MetricNames, PanelsAreFilledInOrder) {
  const auto filled =
      fill_panels({"lr_block_10", "lr_block_9", "lr", "odd", "epoch", "gain_v2a", "gain_a2v",
                   "gain_v2v", "valid_loss", "loss", "probe_r2_audio", "probe_r2_video"});
  ASSERT_EQ(filled.size(), 6U);
  EXPECT_STREQ(filled[0].panel->title, "loss");
  EXPECT_THAT(filled[0].names, ElementsAre("loss", "valid_loss"));
  EXPECT_THAT(filled[1].names, ElementsAre("gain_v2v", "gain_v2a", "gain_a2v"));
  EXPECT_THAT(filled[2].names, ElementsAre("probe_r2_video", "probe_r2_audio"));
  EXPECT_THAT(filled[3].names, ElementsAre("lr"));
  EXPECT_THAT(filled[4].names, ElementsAre("lr_block_9", "lr_block_10"));
  EXPECT_EQ(filled[5].panel->id, PanelId::kOther);
  EXPECT_THAT(filled[5].names, ElementsAre("odd"));
  EXPECT_THAT(fill_panels({"epoch"}), IsEmpty());
}

TEST(MetricNames, TheGuideHoldsTheTable) {
  const auto guide = read_file(std::string(RAVEN_SOURCE_DIR) + "/docs/monitoring.md");
  for (const auto moment : {Moment::kReport, Moment::kEvaluation}) {
    EXPECT_NE(guide.find("\n\n" + metrics_markdown(moment) + "\n"), guide.npos)
        << "docs/monitoring.md lacks this table:\n"
        << metrics_markdown(moment);
  }
}

}  // namespace
}  // namespace raven::report
