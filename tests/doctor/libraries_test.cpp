#include "raven/doctor/libraries.h"

#include <gmock/gmock.h>

#include "doctor/find.h"

namespace raven::doctor {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;

const std::vector<fs::path> kLoaded = {"/torch/lib/libtorch_cpu.so", "/torch/lib/libc10.so",
                                       "/usr/lib/libavcodec.so.59"};

TorchVersions versions(const std::string& running) {
  return {.built = "2.11.0", .running = running, .package = "", .cuda = "13.0"};
}

TEST(Libraries, TorchTellsItsVersions) {
  TorchVersions found;
  parse_torch_config(
      "PyTorch built with:\n  - GCC 13.3\n  - Build settings: CUDA_VERSION=13.0, "
      "CUDNN_VERSION=9.19.0, TORCH_VERSION=2.11.0, USE_CUDA=ON, \n",
      found);
  EXPECT_EQ(found.running, "2.11.0");
  EXPECT_EQ(found.cuda, "13.0");
  parse_torch_config("nothing", found);
  EXPECT_EQ(found.running, "");
  EXPECT_EQ(parse_package_version(
                "__all__ = ['__version__']\n__version__ = '2.11.0+cu130'\ndebug = False\n"),
            "2.11.0");
  EXPECT_EQ(parse_package_version("__version__ = 2"), "");
}

TEST(Libraries, AnotherTorchIsAFailureAPatchAWarning) {
  EXPECT_EQ(level(check_torch(versions("2.11.0+cu130"), kLoaded), "torch.version"), Level::kOk);
  EXPECT_EQ(level(check_torch(versions("2.11.1"), kLoaded), "torch.version"), Level::kWarning);
  for (const auto* running : {"2.1.0", "2.12.0", "3.11.0", ""}) {
    const auto findings = check_torch(versions(running), kLoaded);
    EXPECT_EQ(level(findings, "torch.version"), Level::kFailure) << running;
    EXPECT_THAT(find(findings, "torch.version").what, HasSubstr("/torch/lib/libtorch_cpu.so"));
    expect_explained(findings);
  }
  auto mixed = versions("2.11.0");
  mixed.package = "2.10.0";
  EXPECT_THAT(find(check_torch(mixed, kLoaded), "torch.version").what,
              HasSubstr("the Python package around it is 2.10.0"));
}

TEST(Libraries, PartsOfTorchComeFromOneFolder) {
  auto loaded = kLoaded;
  loaded[1] = "/other/libc10.so";
  const auto findings = check_torch(versions("2.11.0"), loaded);
  EXPECT_EQ(level(findings, "torch.folders"), Level::kFailure);
  EXPECT_THAT(find(findings, "torch.folders").what, HasSubstr("libc10.so from /other"));
  expect_explained(findings);
}

TEST(Libraries, LibavOfAnotherSeries) {
  EXPECT_EQ(level(check_libraries({{"libavcodec", "59.37.100", "59.54.100"}}, kLoaded),
                  "libraries.versions"),
            Level::kOk);
  const auto findings = check_libraries({{"libavcodec", "59.37.100", "60.3.100"}}, kLoaded);
  EXPECT_EQ(level(findings, "libraries.versions"), Level::kFailure);
  EXPECT_THAT(find(findings, "libraries.versions").what, HasSubstr("/usr/lib/libavcodec.so.59"));
  expect_explained(findings);
}

TEST(Libraries, TwoCopiesOfOne) {
  auto loaded = kLoaded;
  EXPECT_EQ(check_libraries({}, loaded).size(), 1U);
  loaded.emplace_back("/opt/lib/libavcodec.so.58");
  loaded.emplace_back("/a/libgomp.so.1");
  loaded.emplace_back("/b/libgomp-a34b3233.so.1");
  const auto findings = check_libraries({}, loaded);
  EXPECT_EQ(count(findings, Level::kWarning), 2);
  EXPECT_THAT(find(findings, "libraries.twice").what, HasSubstr("libavcodec is loaded twice"));
  expect_explained({find(findings, "libraries.twice")});
}

TEST(Libraries, ThisProcessHasSome) {
  EXPECT_THAT(loaded_libraries(), Contains(testing::ResultOf(
                                      [](const fs::path& file) { return file.filename().string(); },
                                      HasSubstr("libc.so"))));
}

TEST(Libraries, ThreadsOfLibgompAreSaidToBeSlowBesideOthers) {
  const auto openmp = [](const char* library) {
    auto torch = versions("2.11.0");
    torch.openmp = library;
    return find(check_torch(torch, kLoaded), "torch.openmp");
  };
  EXPECT_EQ(openmp("/usr/lib/libomp.so.5").level, Level::kOk);
  EXPECT_THAT(openmp("/usr/lib/libomp.so.5").what, HasSubstr("/usr/lib/libomp.so.5"));
  EXPECT_EQ(openmp("/opt/intel/libiomp5.so").level, Level::kOk);
  const auto slow = openmp("/t/libgomp-0123abcd.so.1");
  EXPECT_EQ(slow.level, Level::kWarning);
  expect_explained({slow});
}

}  // namespace
}  // namespace raven::doctor
