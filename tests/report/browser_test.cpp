// The page in a real browser: headless Chromium, at the widths of a telephone and of a wide screen,
// light and dark. RAVEN_CHROMIUM names another program than `chromium`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "e2e/process.h"
#include "raven/core/files.h"
#include "raven/report/page.h"
#include "report/make_run.h"
#include "support/temporary_folder.h"

namespace raven::report {
namespace {

using testing::HasSubstr;
using testing::Not;

// Shows the page in frames of two widths, with everything unfolded, and writes down what it finds.
constexpr const char* kMeasure = R"html(<!DOCTYPE html><html><body>
<iframe width="400" height="1000" src="report.html"></iframe>
<iframe width="1600" height="1000" src="report.html"></iframe><pre></pre>
<script>
const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
const light = (colour) => {
  const [r, g, b] = parts(colour).slice(0, 3).map((x) => x / 255).map((x) => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
function look(frame) {
  const view = frame.contentWindow, page = frame.contentDocument;
  for (const block of page.querySelectorAll("details")) block.open = true;
  const result = {width: view.innerWidth, scroll: page.documentElement.scrollWidth, wide: [], faint: [],
                  dark: view.matchMedia("(prefers-color-scheme: dark)").matches,
                  background: light(view.getComputedStyle(page.body).backgroundColor)};
  for (const element of page.body.querySelectorAll("*")) {
    const style = view.getComputedStyle(element);
    const box = element.getBoundingClientRect();
    if (box.right > view.innerWidth + 1 && !element.closest(".scroll, pre, svg, .vh")) result.wide.push(element.outerHTML.slice(0, 80));
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || box.width === 0 || element.closest("svg, script, style")) continue;
    let behind = element;
    while (behind && parts(view.getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
    const ratio = contrast(style.color, view.getComputedStyle(behind || page.body).backgroundColor);
    if (ratio < 4.5) result.faint.push(ratio.toFixed(2) + " " + element.outerHTML.slice(0, 80));
  }
  const plot = page.querySelector("svg.plot"), box = plot.getBoundingClientRect();
  plot.dispatchEvent(new view.PointerEvent("pointermove", {clientX: box.left + box.width / 2, clientY: box.top + 5}));
  result.output = plot.parentElement.querySelector("output").textContent;
  result.small = Math.min(...[...page.querySelectorAll("svg.plot text")].map((text) => text.getBoundingClientRect().height));
  return result;
}
onload = () => {
  try {
    document.querySelector("pre").textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(look)).replace(/[<>&]/g, "_");
  } catch (error) {
    document.querySelector("pre").textContent = "failed: " + error;
  }
};
</script></body></html>)html";

class Browser : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path folder() const { return temporary_.path(); }

  /// What Chromium prints: console messages and the document at the end.
  [[nodiscard]] std::string show(const std::string& name,
                                 const std::vector<std::string>& more) const {
    const char* given = std::getenv("RAVEN_CHROMIUM");
    std::vector<std::string> command = {"/usr/bin/env",
                                        given == nullptr ? "chromium" : given,
                                        "--headless",
                                        "--hide-scrollbars",
                                        "--no-sandbox",
                                        "--disable-gpu",
                                        "--disable-dev-shm-usage",
                                        "--allow-file-access-from-files",
                                        "--enable-logging=stderr",
                                        "--virtual-time-budget=5000",
                                        "--dump-dom",
                                        "--user-data-dir=" + (folder() / "profile").string()};
    command.insert(command.end(), more.begin(), more.end());
    command.push_back("file://" + (folder() / name).string());
    EXPECT_EQ(Process(command, folder() / "out.txt").wait(), 0)
        << "headless Chromium is needed: scripts/setup.sh --tests\n"
        << read_file(folder() / "out.txt");
    return read_file(folder() / "out.txt");
  }

  /// Findings of kMeasure for both widths.
  [[nodiscard]] nlohmann::json measure(const std::vector<std::string>& more) const {
    write(folder() / "measure.html", kMeasure);
    const auto out = show("measure.html", more);
    EXPECT_THAT(out, Not(HasSubstr("CONSOLE")));
    const auto begin = out.find("<pre>[");
    const auto end = out.find("</pre>", begin);
    if (begin == out.npos || end == out.npos) {
      ADD_FAILURE() << out.substr(0, 4000);
      return nlohmann::json::array();
    }
    return nlohmann::json::parse(out.substr(begin + 5, end - begin - 5));
  }

  void expect_readable(const nlohmann::json& findings, bool dark) const {
    ASSERT_EQ(findings.size(), 2U);
    EXPECT_EQ(findings[0]["width"], 400);
    EXPECT_EQ(findings[1]["width"], 1600);
    for (const auto& finding : findings) {
      EXPECT_EQ(finding["scroll"], finding["width"]) << finding;
      EXPECT_TRUE(finding["wide"].empty()) << finding["wide"];
      EXPECT_TRUE(finding["faint"].empty()) << finding["faint"];
      EXPECT_EQ(finding["dark"], dark);
      EXPECT_EQ(finding["background"] < 0.2, dark) << finding["background"];
      EXPECT_GE(finding["small"], 10) << "height of the smallest text in a diagram, in pixels";
      EXPECT_THAT(finding["output"].get<std::string>(), HasSubstr(": "));
    }
  }

  TemporaryFolder temporary_;
};

TEST_F(Browser, ShowsAPlainRunInBothSchemes) {
  make_run(folder() / "run");
  write_page({folder() / "run"}, folder() / "report.html");
  EXPECT_THAT(show("report.html", {}), Not(HasSubstr("CONSOLE")));
  expect_readable(measure({}), /*dark=*/false);
  expect_readable(measure({"--force-dark-mode"}), /*dark=*/true);
}

TEST_F(Browser, ShowsHostileRunsSideBySideAndRunsNothingOfThem) {
  const std::string attack =
      "</script></style></title><script>attack()</script><img src=x onerror=attack()>" +
      std::string(300, 'W') + "\xE2\x80\xAE";
  make_run(folder() / "<script>attack()<&>", {.text = attack});
  make_run(folder() / "second", {.text = attack, .fine_tuning = false});
  make_run(folder() / "third", {.wer = 1.7, .text = attack});
  write_page({folder() / "<script>attack()<&>", folder() / "second", folder() / "third"},
             folder() / "report.html");
  EXPECT_THAT(show("report.html", {}), Not(HasSubstr("CONSOLE")));
  expect_readable(measure({}), /*dark=*/false);
  expect_readable(measure({"--force-dark-mode"}), /*dark=*/true);
}

}  // namespace
}  // namespace raven::report
