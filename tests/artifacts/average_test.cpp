#include "raven/artifacts/average.h"

#include <gmock/gmock.h>

#include "raven/core/error.h"
#include "support/temporary_folder.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Average : public testing::Test {
 protected:
  fs::path write(const std::string& name, const std::vector<torch::Tensor>& tensors) const {
    weights::TensorFile file;
    for (std::size_t i = 0; i < tensors.size(); ++i)
      file.tensors.emplace_back("t" + std::to_string(i), tensors[i]);
    const auto path = folder_.path() / name;
    weights::write_safetensors(path, file);
    return path;
  }
  static std::string problem(const std::vector<fs::path>& files) {
    try {
      average(files);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  TemporaryFolder folder_;
};

TEST_F(Average, IsTheMeanAndIntegersRoundDown) {
  const auto one = write("a", {torch::tensor({1.0F, 2.0F}), torch::tensor({3, -3})});
  const auto two = write("b", {torch::tensor({2.0F, 6.0F}), torch::tensor({4, -4})});
  const auto mean = average({one, two}).file;
  EXPECT_TRUE(torch::equal(mean.at("t0"), torch::tensor({1.5F, 4.0F})));
  EXPECT_TRUE(torch::equal(mean.at("t1"), torch::tensor({3, -4})));
}

TEST_F(Average, OfOneIsItself) {
  const auto tensor = torch::randn({5});
  EXPECT_TRUE(torch::equal(average({write("a", {tensor})}).file.at("t0"), tensor));
}

TEST_F(Average, KeepsTypes) {
  const auto half = torch::ones({2}, torch::kBFloat16);
  EXPECT_EQ(average({write("a", {half}), write("b", {half})}).file.at("t0").scalar_type(),
            torch::kBFloat16);
}

TEST_F(Average, RefusesFilesThatDoNotBelongTogether) {
  const auto one = write("a", {torch::ones({2}), torch::ones({1})});
  EXPECT_THAT(problem({one, write("b", {torch::ones({2})})}), HasSubstr("'t1' is missing"));
  EXPECT_THAT(problem({write("c", {torch::ones({2})}), one}), HasSubstr("'t1' is not in"));
  EXPECT_THAT(problem({one, write("d", {torch::ones({3}), torch::ones({1})})}),
              HasSubstr("'t0' has another shape"));
  EXPECT_THAT(problem({one, write("e", {torch::ones({2}, torch::kInt64), torch::ones({1})})}),
              HasSubstr("'t0' has another type"));
  EXPECT_THAT(problem({folder_.path() / "none"}), HasSubstr("no such file"));
  EXPECT_THAT(problem({}), HasSubstr("no checkpoints"));
}

}  // namespace
}  // namespace raven::artifacts
