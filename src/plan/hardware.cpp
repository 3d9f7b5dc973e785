#include "raven/plan/hardware.h"

#include <ATen/DeviceAccelerator.h>
#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <cctype>
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

struct GpuKind {
  std::string_view name;
  double gib;  // as the driver tells it
};
constexpr std::array<GpuKind, 16> kGpuKinds = {{{"T4", 15},
                                                {"V100-16GB", 16},
                                                {"V100-32GB", 32},
                                                {"A10", 22.5},
                                                {"A40", 45},
                                                {"A6000", 48},
                                                {"A100-40GB", 40},
                                                {"A100-80GB", 80},
                                                {"L4", 22.5},
                                                {"L40S", 45},
                                                {"RTX3090", 24},
                                                {"RTX4090", 24},
                                                {"RTX5090", 31.8},
                                                {"H100", 79.6},
                                                {"H200", 140.4},
                                                {"B200", 179}}};

/// Letters and digits alone, small.
std::string plain(std::string_view text) {
  std::string out;
  for (const unsigned char c : text) {
    if (std::isalnum(c) != 0) out += static_cast<char>(std::tolower(c));
  }
  return out;
}

}  // namespace

double parse_device_memory(const std::string& text, const std::string& name) {
  for (const auto& kind : kGpuKinds) {
    if (plain(kind.name) == plain(text)) return kind.gib * kKibi * kKibi * kKibi;
  }
  try {
    return parse_memory(text, name);
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("{}, or a GPU of these: {}", error.what(), gpu_kinds()));
  }
}

std::string gpu_kinds() {
  std::string kinds;
  for (const auto& kind : kGpuKinds) kinds += (kinds.empty() ? "" : ", ") + std::string(kind.name);
  return kinds;
}

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
