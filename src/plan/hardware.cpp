#include "raven/plan/hardware.h"

#include <ATen/DeviceAccelerator.h>
#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include "raven/core/error.h"
#include "raven/doctor/memory.h"

namespace raven::plan {
namespace {

constexpr double kKibi = 1024;
constexpr double kMost = 1e18;  // bytes; more is a typing error

struct Unit {
  std::string_view name;
  double bytes;
};
constexpr std::array<Unit, 8> kUnits = {{{"KiB", kKibi},
                                         {"MiB", kKibi* kKibi},
                                         {"GiB", kKibi* kKibi* kKibi},
                                         {"TiB", kKibi* kKibi* kKibi* kKibi},
                                         {"KB", 1e3},
                                         {"MB", 1e6},
                                         {"GB", 1e9},
                                         {"TB", 1e12}}};

}  // namespace

double parse_memory(const std::string& text, const std::string& name) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  const auto known =
      std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.name == unit; });
  if (error != std::errc() || known == kUnits.end() || !std::isfinite(value) || value <= 0 ||
      value * known->bytes > kMost) {
    throw ConfigError(fmt::format(
        "{} is '{}', expected memory above 0 with its unit (KiB, MiB, GiB, TiB, KB, MB, GB or TB), "
        "as in 24GiB",
        name, text));
  }
  return value * known->bytes;
}

std::string memory_text(double bytes) {
  const double gib = kKibi * kKibi * kKibi, mib = kKibi * kKibi;
  if (std::abs(bytes) >= 1024 * gib) return fmt::format("{:.2f} TiB", bytes / (kKibi * gib));
  if (std::abs(bytes) >= gib) return fmt::format("{:.2f} GiB", bytes / gib);
  return fmt::format("{:.1f} MiB", bytes / mib);
}

double machine_memory() { return static_cast<double>(doctor::usable_memory()); }

double gpu_memory() {
  if (!torch::cuda::is_available()) return 0;
  return static_cast<double>(at::accelerator::getMemoryInfo(0).second);
}

}  // namespace raven::plan
