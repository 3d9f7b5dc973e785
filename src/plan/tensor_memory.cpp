#include "raven/plan/tensor_memory.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>

namespace raven::plan {
namespace {

class Reports : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, std::int64_t bytes, std::size_t, std::size_t,
                         c10::Device device) override {
    if (!device.is_cpu()) return;
    live += bytes;
    peak = std::max(peak, live);
  }
  [[nodiscard]] bool memoryProfilingEnabled() const override { return true; }

  std::int64_t live = 0, peak = 0;
};

}  // namespace

struct TensorMemory::State {
  std::shared_ptr<Reports> reports = std::make_shared<Reports>();
  c10::DebugInfoGuard guard{c10::DebugInfoKind::PROFILER_STATE, reports};
};

TensorMemory::TensorMemory() : state_(std::make_unique<State>()) {}
TensorMemory::~TensorMemory() = default;

std::int64_t TensorMemory::live() const { return state_->reports->live; }
std::int64_t TensorMemory::peak() const { return state_->reports->peak; }
void TensorMemory::start_peak() { state_->reports->peak = state_->reports->live; }

}  // namespace raven::plan
