// What a piece of work spent its time on, operator by operator and kernel by kernel.
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <functional>

namespace raven::plan {

/// Runs `work` under LibTorch's profiler and writes a Chrome trace, which https://ui.perfetto.dev
/// and chrome://tracing show: CPU operators, on a GPU its kernels as well. `work` must end by
/// waiting for the device. Throws SystemError when the file cannot be written.
void write_trace(const std::filesystem::path& file, const torch::Device& device,
                 const std::function<void()>& work);

}  // namespace raven::plan
