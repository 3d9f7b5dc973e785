// Reduced precision on a CPU for the time of a scope.
#pragma once

#include <ATen/autocast_mode.h>

namespace raven {

class Bf16Scope {
 public:
  Bf16Scope() {
    at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
    at::autocast::set_autocast_enabled(at::kCPU, true);
  }
  ~Bf16Scope() {
    at::autocast::set_autocast_enabled(at::kCPU, false);
    at::autocast::clear_cache();
  }
  Bf16Scope(const Bf16Scope&) = delete;
  Bf16Scope& operator=(const Bf16Scope&) = delete;
};

}  // namespace raven
