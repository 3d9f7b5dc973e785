// Picks findings out of lists.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "raven/doctor/finding.h"

namespace raven::doctor {

/// The finding of that id; an empty one, and a failed test, when there is none.
inline Finding find(const Findings& findings, const std::string& id) {
  for (const auto& finding : findings) {
    if (finding.id == id) return finding;
  }
  ADD_FAILURE() << "no finding " << id;
  return {};
}

inline Level level(const Findings& findings, const std::string& id) {
  return find(findings, id).level;
}

/// What is no `ok` says what it means and how to mend it.
inline void expect_explained(const Findings& findings) {
  for (const auto& finding : findings) {
    EXPECT_FALSE(finding.what.empty()) << finding.id;
    EXPECT_EQ(finding.means.empty(), finding.level == Level::kOk) << finding.id;
    EXPECT_EQ(finding.remedy.empty(), finding.level == Level::kOk) << finding.id;
  }
}

}  // namespace raven::doctor
