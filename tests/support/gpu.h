// Tests that need a GPU include this: LibTorch's CUDA library and raven's kernels are loaded before
// any of them uses Torch, and none of them runs where that fails.
#pragma once

#include <gtest/gtest.h>

#include "cli/cuda_library.h"
#include "raven/core/error.h"
#include "raven/nn/device.h"

namespace raven::gpu {

class Environment : public testing::Environment {
 public:
  void SetUp() override {
    try {
      cli::load_cuda_library(config::Device::kCuda);
      nn::choose_device(config::Device::kCuda, cli::cuda_library_problem());
    } catch (const ConfigError& error) {
      FAIL() << "these tests need an NVIDIA GPU: " << error.what();
    }
    nn::set_precision(config::Precision::kFp32);  // no TF32
  }
};

inline const auto* const kEnvironment = testing::AddGlobalTestEnvironment(new Environment);

inline torch::Device device() { return {torch::kCUDA, 0}; }

}  // namespace raven::gpu
