#include "synth/articulation.h"

#include <algorithm>
#include <cmath>

namespace raven::synth {
namespace {

// Aperture, share above the line, and jaw while the contact of a gate is held.
constexpr double kTuckAperture = 0.155, kTuckUpper = 0.92, kTuckJaw = 0.12;
constexpr double kDentalAperture = 0.36, kDentalJaw = 0.22;

constexpr double kForever_s = 1000;  // half of the rest before and after a sentence

double smooth_step(double x) {
  x = std::clamp(x, 0.0, 1.0);
  return x * x * (3 - 2 * x);
}

double mix(double from, double to, double share) { return from * (1 - share) + to * share; }

double ramp(double time_s, const Trajectory::GateSpan& span, double in_s, double out_s) {
  if (time_s < span.start_s) return smooth_step(1 - (span.start_s - time_s) / in_s);
  if (time_s > span.end_s) return smooth_step(1 - (time_s - span.end_s) / out_s);
  return 1;
}

/// Mean of the targets that pull on one articulator.
struct WeightedMean {
  double sum = 0, weight = 0;
  void add(double value, double w) {
    sum += w * value;
    weight += w;
  }
  [[nodiscard]] double value() const { return sum / weight; }
};

}  // namespace

Articulation held(const Phoneme& phoneme) {
  const auto& v = phoneme.first;
  Articulation mouth{v.jaw,        v.aperture,       v.upper, v.spread, v.round,
                     v.tongue_tip, v.tongue_forward, 0,       0};
  if (phoneme.gate == Gate::kBilabialStop || phoneme.gate == Gate::kBilabialNasal) {
    mouth.lips_pressed = 1;
    mouth.aperture = 0;
  } else if (phoneme.gate == Gate::kLabiodental) {
    mouth.lip_tucked = 1;
    mouth.aperture = kTuckAperture;
    mouth.upper = kTuckUpper;
  }
  return mouth;
}

Trajectory::Trajectory(const std::vector<Phone>& phones, double lead_s,
                       const ArticulationStyle& style)
    : style_(style) {
  auto rest = rest_viseme();
  rest.aperture = style.rest_aperture;
  rest.spread = style.rest_spread;
  pulls_.push_back({rest, -0.10 - kForever_s, kForever_s, 0.09, 0.07});
  for (std::size_t i = 0; i < phones.size(); ++i) add_phone(phones, i, rest);
  const double end_s = phones.empty() ? 1 : phones.back().end_s;
  pulls_.push_back({rest, end_s + 0.07 + kForever_s, kForever_s, 0.08, 0.09});
  for (auto& pull : pulls_) pull.centre_s += lead_s;
  for (auto& gate : gates_) {
    gate.start_s += lead_s;
    gate.end_s += lead_s;
  }
}

void Trajectory::add_phone(const std::vector<Phone>& phones, std::size_t index,
                           const Viseme& rest) {
  const auto& phone = phones[index];
  const auto* phoneme = find_phoneme(phone.mnemonic);
  if (phoneme == nullptr) {
    unknown_.push_back(phone.mnemonic);
    return;
  }
  double start = phone.start_s, end = phone.end_s;
  const auto* next = index + 1 < phones.size() ? find_phoneme(phones[index + 1].mnemonic) : nullptr;
  // espeak-ng marks a stop at its burst: its closure is the end of the phone before.
  if (next != nullptr && next->stop) end = std::max(start + 0.5 * (end - start), end - 0.045);
  if (phoneme->stop) {
    const double before = index > 0 ? phones[index - 1].start_s : start - 0.1;
    end = std::min(end, start + 0.03);
    start = std::max(start - 0.065, before + 0.35 * (start - before));
  }
  const double duration = std::max(0.02, end - start);
  if (phone.mnemonic[0] == '_') {
    auto target = rest;
    if (duration < 0.06) {  // too short to close the mouth for
      target.jaw_weight *= 0.2;
      target.lip_weight *= 0.2;
      target.shape_weight *= 0.2;
    }
    pulls_.push_back({target, (start + end) / 2, 0.4 * duration, 0.08, 0.08});
    return;
  }
  const double tau = (phoneme->vowel ? 0.055 : 0.042) / style_.speed;
  if (phoneme->diphthong) {
    pulls_.push_back({phoneme->first, start + 0.30 * duration, 0.12 * duration, tau, tau});
    pulls_.push_back({phoneme->second, start + 0.85 * duration, 0.08 * duration, tau, tau});
  } else {
    const double plateau = (phoneme->vowel ? 0.18 : 0.25) * duration;
    pulls_.push_back({phoneme->first, start + 0.5 * duration, plateau, tau, tau});
  }
  add_gate(phoneme->gate, phone.start_s, start, end);
}

/// `event_s`: espeak-ng's time of the phone; start and end: of its segment as the mouth sees it.
void Trajectory::add_gate(Gate gate, double event_s, double start_s, double end_s) {
  switch (gate) {
    case Gate::kNone:
      return;
    case Gate::kBilabialStop:  // at least one frame of 40 ms before the burst
      gates_.push_back({gate, std::min(start_s, event_s - 0.055), event_s + 0.004});
      return;
    case Gate::kBilabialNasal:
      gates_.push_back({gate, start_s - 0.005, std::max(end_s - 0.01, start_s + 0.055)});
      return;
    case Gate::kLabiodental:
    case Gate::kDental:
      gates_.push_back({gate, start_s - 0.015, std::max(end_s - 0.01, start_s + 0.05)});
      return;
  }
}

Articulation Trajectory::at(double time_s) const {
  auto mouth = blended(time_s);
  mouth.jaw *= style_.gain;
  mouth.aperture *= style_.gain;
  impose_gates(time_s, mouth);
  return mouth;
}

Articulation Trajectory::blended(double time_s) const {
  WeightedMean jaw, aperture, upper, spread, round, tip, forward;
  for (const auto& pull : pulls_) {
    const auto& target = pull.target;
    const double distance = std::max(0.0, std::abs(time_s - pull.centre_s) - pull.plateau_s);
    const bool before = time_s < pull.centre_s;
    const double tau = before ? pull.rise_s : pull.fall_s;
    const auto dominance = [&](double stretch) {
      const double floor = 1e-6 / (1 + distance);  // keeps long pauses defined
      return distance > 1 ? floor : std::exp(-std::pow(distance / (tau * stretch), 1.25)) + floor;
    };
    const double lips = dominance(1), jaws = dominance(1.25);  // the jaw is slow
    const double shape = dominance(before ? 1.5 : 1.2);        // rounding starts early and lingers
    const double tongue = dominance(0.7);                      // the tongue's tip is fast
    jaw.add(target.jaw, target.jaw_weight * jaws);
    aperture.add(target.aperture, target.lip_weight * lips);
    upper.add(target.upper, target.lip_weight * lips);
    spread.add(target.spread, target.shape_weight * shape);
    round.add(target.round, target.shape_weight * shape);
    tip.add(target.tongue_tip, target.tongue_weight * tongue);
    forward.add(target.tongue_forward, target.tongue_weight * tongue);
  }
  return {jaw.value(),
          aperture.value(),
          upper.value(),
          spread.value(),
          round.value(),
          tip.value(),
          forward.value(),
          0,
          0};
}

void Trajectory::impose_gates(double time_s, Articulation& mouth) const {
  const double in_s = 0.055 / style_.speed, out_s = 0.045 / style_.speed;
  double closed = 0, tucked = 0, dental = 0;
  for (const auto& span : gates_) {
    const double reached = ramp(time_s, span, in_s, out_s);
    switch (span.gate) {
      case Gate::kBilabialStop:
      case Gate::kBilabialNasal:
        closed = std::max(closed, reached);
        break;
      case Gate::kLabiodental:
        tucked = std::max(tucked, reached);
        break;
      case Gate::kDental:
        dental = std::max(dental, reached);
        break;
      case Gate::kNone:
        break;
    }
  }
  mouth.lips_pressed = closed;
  mouth.jaw *= 1 - 0.45 * closed;
  mouth.aperture *= 1 - closed;

  mouth.lip_tucked = tucked * (1 - closed);
  mouth.aperture = mix(mouth.aperture, kTuckAperture, mouth.lip_tucked);
  mouth.upper = mix(mouth.upper, kTuckUpper, mouth.lip_tucked);
  mouth.jaw = mix(mouth.jaw, kTuckJaw, 0.6 * mouth.lip_tucked);
  mouth.round *= 1 - 0.7 * mouth.lip_tucked;
  mouth.spread *= 1 - 0.4 * mouth.lip_tucked;

  const double open = dental * (1 - closed);  // pressed lips hide the tongue
  mouth.tongue_forward = std::max(0.3 * mouth.tongue_forward, dental);
  mouth.aperture = mix(mouth.aperture, kDentalAperture, 0.75 * open);
  mouth.jaw = mix(mouth.jaw, kDentalJaw, 0.6 * open);
}

}  // namespace raven::synth
