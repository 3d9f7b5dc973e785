#include "raven/doctor/gpu.h"

#include <gmock/gmock.h>

#include "doctor/find.h"

namespace raven::doctor {
namespace {

using config::Device;
using testing::HasSubstr;
using testing::IsEmpty;

GpuDriver two_gpus() {
  const Gpu first{.name = "NVIDIA H100",
                  .uuid = "GPU-aaaa-1",
                  .total_bytes = 80 * kGiB,
                  .free_bytes = 79 * kGiB,
                  .major = 9,
                  .minor = 0};
  auto second = first;
  second.uuid = "GPU-bbbb-2";
  return {.present = true, .version = "580.65.06", .cuda = 13000, .gpus = {first, second}};
}

CudaUse sound(Device wanted) {
  return {.wanted = wanted,
          .visible_devices = {},
          .torch_cuda = "13.0",
          .library_problem = "",
          .kernels_problem = "",
          .nccl = "2.27.5 in /x"};
}

TEST(Gpu, SoundOnesAreFine) {
  const auto findings = check_gpu(two_gpus(), sound(Device::kCuda), 2);
  EXPECT_EQ(count(findings, Level::kOk), static_cast<std::int64_t>(findings.size()));
  EXPECT_THAT(find(findings, "gpu.driver").what,
              HasSubstr("580.65.06 for CUDA 13.0, 2 GPUs, NVIDIA H100 (80 GiB)"));
}

TEST(Gpu, ACpuMachineIsFineUnlessAGpuIsWanted) {
  auto use = sound(Device::kAuto);
  use.library_problem = "no NVIDIA driver was found on this machine";
  EXPECT_EQ(count(check_gpu({}, use, 1), Level::kOk), 3);
  use.wanted = Device::kCuda;
  const auto findings = check_gpu({}, use, 1);
  EXPECT_EQ(level(findings, "gpu.driver"), Level::kFailure);
  expect_explained(findings);
  use.wanted = Device::kCpu;
  EXPECT_EQ(check_gpu(two_gpus(), use, 1).size(), 1U);
}

TEST(Gpu, DriversThatAreTooOldOrShowNothing) {
  auto driver = two_gpus();
  driver.cuda = 12080;
  auto use = sound(Device::kAuto);
  use.library_problem = "LibTorch finds no usable GPU";
  EXPECT_EQ(level(check_gpu(driver, use, 1), "gpu.driver"), Level::kWarning);
  EXPECT_THAT(find(check_gpu(driver, use, 1), "gpu.driver").remedy, HasSubstr("580"));
  use.wanted = Device::kCuda;
  EXPECT_EQ(level(check_gpu(driver, use, 1), "gpu.driver"), Level::kFailure);
  EXPECT_EQ(level(check_gpu(driver, use, 1), "gpu.cuda_library"), Level::kFailure);
  driver = two_gpus();
  driver.gpus.clear();
  EXPECT_THAT(find(check_gpu(driver, use, 1), "gpu.driver").remedy, HasSubstr("--gpus all"));
  expect_explained(check_gpu(driver, use, 1));
}

TEST(Gpu, VisibleDevicesAsCudaReadsThem) {
  const auto visible = [](const std::string& text) { return num_visible(two_gpus(), text); };
  EXPECT_EQ(num_visible(two_gpus(), std::nullopt), 2);
  EXPECT_EQ(visible("1"), 1);
  EXPECT_EQ(visible("1,0"), 2);
  EXPECT_EQ(visible(" 0 , 1 "), 2);
  EXPECT_EQ(visible("GPU-bb"), 1);
  EXPECT_EQ(visible(""), 0);
  EXPECT_EQ(visible("-1"), 0);
  EXPECT_EQ(visible("0,2,1"), 1);  // what follows a wrong entry is ignored
  EXPECT_EQ(visible("0,0"), 0);
  EXPECT_EQ(visible("GPU-cc"), 0);
  EXPECT_EQ(visible(","), 0);
}

TEST(Gpu, NamesOfGpusThatAreNotThere) {
  const auto finding = [](const GpuDriver& driver, const std::string& text, Device wanted) {
    auto use = sound(wanted);
    use.visible_devices = text;
    const auto findings = check_gpu(driver, use, 1);
    expect_explained(findings);
    return find(findings, "gpu.visible_devices");
  };
  EXPECT_EQ(finding(two_gpus(), "0,1", Device::kCuda).level, Level::kOk);
  EXPECT_EQ(finding(two_gpus(), "2", Device::kCuda).level, Level::kFailure);
  EXPECT_EQ(finding(two_gpus(), "2", Device::kAuto).level, Level::kWarning);
  EXPECT_EQ(finding(two_gpus(), "0,7", Device::kCuda).level, Level::kWarning);
  EXPECT_THAT(finding(two_gpus(), "", Device::kAuto).what, HasSubstr("hides every GPU"));
  EXPECT_THAT(finding(two_gpus(), "7", Device::kCuda).what,
              HasSubstr("names '7', but this machine has GPUs 0 to 1"));
  EXPECT_THAT(finding({}, "0", Device::kCuda).what, HasSubstr("this machine has no GPU"));
  EXPECT_EQ(finding({}, "", Device::kAuto).level, Level::kOk);  // nothing to hide
}

TEST(Gpu, RavensKernelsAndNccl) {
  auto use = sound(Device::kCuda);
  use.kernels_problem = "/raven/lib/libraven_cuda.so does not exist";
  EXPECT_THAT(find(check_gpu(two_gpus(), use, 1), "gpu.kernels").remedy, HasSubstr("nvcc"));
  EXPECT_TRUE(can_run(check_gpu(two_gpus(), use, 1)));
  use.nccl = "";
  EXPECT_EQ(level(check_gpu(two_gpus(), use, 1), "gpu.nccl"), Level::kOk);
  EXPECT_EQ(level(check_gpu(two_gpus(), use, 2), "gpu.nccl"), Level::kFailure);
  expect_explained(check_gpu(two_gpus(), use, 2));
}

TEST(Gpu, BusyAndOldOnes) {
  auto driver = two_gpus();
  driver.gpus[0].free_bytes = kGiB;
  driver.gpus[1].major = 7;
  const auto findings = check_gpu(driver, sound(Device::kCuda), 1);
  EXPECT_THAT(find(findings, "gpu.memory").what, HasSubstr("GPU 0: 1 GiB of 80 GiB free"));
  EXPECT_THAT(find(findings, "gpu.capability").what, HasSubstr("GPU 1"));
  expect_explained(findings);
}

TEST(Gpu, NobodyLoadedNcclHere) { EXPECT_THAT(loaded_nccl(), IsEmpty()); }

}  // namespace
}  // namespace raven::doctor
