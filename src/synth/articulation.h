// How the mouth moves through a sentence.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "synth/speech.h"
#include "synth/visemes.h"

namespace raven::synth {

/// The mouth at one moment; ranges as in Viseme.
struct Articulation {
  double jaw = 0, aperture = 0, upper = 0.3, spread = 0, round = 0, tongue_tip = 0,
         tongue_forward = 0;
  double lips_pressed = 0;  // 1 = closed for p, b, m
  double lip_tucked = 0;    // 1 = lower lip under the upper teeth for f, v
};

/// A held mouth shape, its contact made.
Articulation held(const Phoneme& phoneme);

/// A speaker's manner.
struct ArticulationStyle {
  double gain = 1;   // of jaw and aperture
  double speed = 1;  // of all movements
  double rest_aperture = 0, rest_spread = 0;
};

/// Continuous movement over the phones of a sentence. Each phone pulls on each articulator with a
/// weight that falls off with distance in time, and the position is the weighted mean of all
/// targets: Cohen and Massaro, "Modeling coarticulation in synthetic visual speech" (1993).
/// Contacts of the lips, of lip and teeth and of tongue and teeth are then imposed as gates, since
/// a mean would blur them away.
class Trajectory {
 public:
  /// `lead_s`: silence before the first phone.
  Trajectory(const std::vector<Phone>& phones, double lead_s, const ArticulationStyle& style = {});

  [[nodiscard]] Articulation at(double time_s) const;

  /// Mnemonics that the viseme table does not know; the mouth ignores them.
  [[nodiscard]] const std::vector<std::string>& unknown() const { return unknown_; }

  struct GateSpan {
    Gate gate = Gate::kNone;
    double start_s = 0, end_s = 0;  // fully reached in between
  };
  [[nodiscard]] const std::vector<GateSpan>& gates() const { return gates_; }

 private:
  struct Pull {
    Viseme target;
    double centre_s, plateau_s;  // plateau: half width of full weight
    double rise_s, fall_s;       // time constants before and after it
  };

  void add_phone(const std::vector<Phone>& phones, std::size_t index, const Viseme& rest);
  void add_gate(Gate gate, double event_s, double start_s, double end_s);
  [[nodiscard]] Articulation blended(double time_s) const;
  void impose_gates(double time_s, Articulation& mouth) const;

  std::vector<Pull> pulls_;
  std::vector<GateSpan> gates_;
  std::vector<std::string> unknown_;
  ArticulationStyle style_;
};

}  // namespace raven::synth
