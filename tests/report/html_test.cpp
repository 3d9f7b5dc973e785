#include "report/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace raven::report {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(Escaped, LeavesNoMarkup) {
  EXPECT_EQ(escaped("<script>alert(\"1\" & '2')</script>"),
            "&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;");
  EXPECT_EQ(escaped("&lt;"), "&amp;lt;");
  EXPECT_EQ(escaped(""), "");
}

TEST(Escaped, KeepsUtf8AndReplacesWhatIsNone) {
  EXPECT_EQ(escaped("\xE2\x96\x81na\xC3\xAFve \xF0\x9F\x99\x82"),
            "\xE2\x96\x81na\xC3\xAFve \xF0\x9F\x99\x82");
  const std::string replaced = "\xEF\xBF\xBD";
  EXPECT_EQ(escaped("a\xFF"
                    "b"),
            "a" + replaced + "b");
  EXPECT_EQ(escaped("\xC0\xBCscript>"), replaced + replaced + "script&gt;");  // overlong '<'
  EXPECT_EQ(escaped("\xED\xA0\x80"), replaced + replaced + replaced);         // a surrogate
  EXPECT_EQ(escaped("\xF4\x90\x80\x80"), replaced + replaced + replaced + replaced);
  EXPECT_EQ(escaped("\xE2\x82"), replaced + replaced);  // cut off
}

TEST(Escaped, ShowsNeitherControlsNorTurnedText) {
  const std::string replaced = "\xEF\xBF\xBD";
  EXPECT_EQ(escaped(std::string("a\0b\x1B[31m\x7F", 9)),
            "a" + replaced + "b" + replaced + "[31m" + replaced);
  EXPECT_EQ(escaped("id\xE2\x80\xAEgnp"), "id" + replaced + "gnp");  // right-to-left override
  EXPECT_EQ(escaped("a\tb\nc"), "a\tb\nc");
}

TEST(Escaped, CutsLongTextBetweenCharacters) {
  EXPECT_EQ(escaped("\xC3\xA4\xC3\xB6\xC3\xBC", 3), "\xC3\xA4\xC3\xB6\xC3\xBC");
  EXPECT_EQ(escaped("\xC3\xA4\xC3\xB6\xC3\xBC", 2),
            "\xC3\xA4\xC3\xB6\xE2\x80\xA6 (cut, 2 bytes more)");
}

TEST(DataUri, IsBase64) {
  EXPECT_EQ(data_uri("text/plain", ""), "data:text/plain;base64,");
  EXPECT_EQ(data_uri("a/b", "f"), "data:a/b;base64,Zg==");
  EXPECT_EQ(data_uri("a/b", "fo"), "data:a/b;base64,Zm8=");
  EXPECT_EQ(data_uri("a/b", "foo"), "data:a/b;base64,Zm9v");
  EXPECT_EQ(data_uri("a/b", "foobar"), "data:a/b;base64,Zm9vYmFy");
  EXPECT_EQ(data_uri("a/b", "\xFF\xFE\xFD"), "data:a/b;base64,//79");
}

TEST(Numbers, AreShort) {
  EXPECT_EQ(number_text(0.123456), "0.1235");
  EXPECT_EQ(number_text(-2.5),
            "\xE2\x88\x92"
            "2.5");
  EXPECT_EQ(number_text(1234567.8), "1,234,568");
  EXPECT_EQ(number_text(-123456), "-123,456");
  EXPECT_EQ(number_text(1e-7), "1e-07");
  EXPECT_EQ(number_text(NAN), "not finite");
  EXPECT_EQ(number_text(1e300), "1e+300");
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(-1000), "-1,000");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(percent_text(0.4213), "42.1 %");
  EXPECT_EQ(counted(1, "clip"), "1 clip");
  EXPECT_EQ(counted(2, "clip"), "2 clips");
}

TEST(Table, NamesItself) {
  EXPECT_THAT(table("<b>", "<tr></tr>"), HasSubstr("<caption>&lt;b&gt;</caption>"));
  EXPECT_THAT(table("t", ""), StartsWith("<div class=\"scroll\" tabindex=\"0\""));
}

}  // namespace
}  // namespace raven::report
