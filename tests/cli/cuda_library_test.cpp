#include "cli/cuda_library.h"

#include <gmock/gmock.h>

namespace raven::cli {
namespace {

using testing::HasSubstr;

TEST(CudaLibrary, WarnsOnlyWhereADriverIsPresent) {
  EXPECT_EQ(unused_gpu_warning(""), "");
  EXPECT_EQ(unused_gpu_warning("no NVIDIA driver was found on this machine"), "");
  const auto warning = unused_gpu_warning("cannot load libtorch_cuda.so: libcudnn.so.9");
  EXPECT_THAT(warning, HasSubstr("cannot load libtorch_cuda.so: libcudnn.so.9"));
  EXPECT_THAT(warning, HasSubstr("scripts/setup.sh --gpu"));
}

}  // namespace
}  // namespace raven::cli
