#include "raven/train/probe.h"

#include <cmath>

#include "raven/core/error.h"
#include "raven/media/media.h"

namespace raven::train {
namespace {

using media::kSamplesPerFrame;

constexpr std::int64_t kWindow = 400;     // 25 ms
constexpr std::int64_t kHop = 160;        // 10 ms, four in a frame
constexpr std::int64_t kTransform = 512;  // next power of two
constexpr auto kSampleRateHz = static_cast<double>(media::kSampleRateHz);
constexpr double kLowestHz = 60;
constexpr double kFloor = 1e-6;  // below the noise of 16-bit sound
constexpr double kPenalty = 1e-2;

double mel(double hz) { return 1127.0 * std::log1p(hz / 700.0); }

/// Triangles equally wide in mel: (bins, 40).
torch::Tensor filters() {
  const std::int64_t bins = kTransform / 2 + 1;
  const double low = mel(kLowestHz);
  const double width = (mel(kSampleRateHz / 2) - low) / static_cast<double>(kMelBands + 1);
  auto result = torch::zeros({bins, kMelBands}, torch::kFloat64);
  auto values = result.accessor<double, 2>();
  for (std::int64_t bin = 0; bin < bins; ++bin) {
    const double hz = kSampleRateHz * static_cast<double>(bin) / static_cast<double>(kTransform);
    for (std::int64_t band = 0; band < kMelBands; ++band) {
      const double distance = std::abs((mel(hz) - low) / width - static_cast<double>(band + 1));
      values[bin][band] = std::max(0.0, 1.0 - distance);
    }
  }
  return result.to(torch::kFloat32);
}

}  // namespace

torch::Tensor log_mel(const torch::Tensor& audio) {
  RAVEN_CHECK(audio.dim() == 1 && audio.size(0) % kSamplesPerFrame == 0 && audio.size(0) > 0,
              "audio must be (640 T)");
  static const auto mel_filters = filters();
  const auto window =
      torch::hann_window(kWindow, torch::TensorOptions(torch::kFloat32)).unsqueeze(0);
  const std::int64_t side = (kWindow - kHop) / 2;  // a window's middle 10 ms are its hop
  const auto padded = torch::constant_pad_nd(audio.to(torch::kCPU, torch::kFloat32), {side, side});
  const auto windows = padded.unfold(0, kWindow, kHop) * window;  // (4 T, 400)
  const auto power = torch::fft::rfft(windows, kTransform).abs().square();
  const auto energies = torch::log(power.mm(mel_filters) + kFloor);  // (4 T, 40)
  return energies.view({-1, kSamplesPerFrame / kHop, kMelBands}).mean(1);
}

RidgeMap fit_ridge(const RidgeData& fit) {
  torch::NoGradGuard no_grad;
  const auto x = fit.features.to(torch::kFloat64), y = fit.targets.to(torch::kFloat64);
  RidgeMap map{.weights = {}, .x_mean = x.mean(0), .y_mean = y.mean(0)};
  const auto centred = x - map.x_mean;
  const auto products = centred.t().mm(centred);
  const auto penalty = products.diagonal().mean() * kPenalty + 1e-12;
  const auto system = products + penalty * torch::eye(products.size(0), products.options());
  map.weights = at::linalg_solve(system, centred.t().mm(y - map.y_mean));
  return map;
}

torch::Tensor RidgeMap::operator()(const torch::Tensor& x) const {
  torch::NoGradGuard no_grad;
  return (x.to(torch::kFloat64) - x_mean).mm(weights) + y_mean;
}

double ridge_r2(const RidgeData& fit, const RidgeData& score) {
  torch::NoGradGuard no_grad;
  const auto guess = fit_ridge(fit)(score.features);
  const auto truth = score.targets.to(torch::kFloat64);
  const auto error = (truth - guess).square().sum(0);
  const auto variance = (truth - truth.mean(0)).square().sum(0).clamp_min(1e-12);
  return (1.0 - error / variance).mean().item<double>();
}

}  // namespace raven::train
