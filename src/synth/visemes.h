// What the mouth aims at for each phoneme of espeak-ng.
#pragma once

#include <string>
#include <string_view>

namespace raven::synth {

/// Targets and weights of one mouth shape. Values are 0 to 1 unless said otherwise.
struct Viseme {
  double jaw = 0;             // opening; 1 = 17 pixels at the chin of a 224-pixel face
  double aperture = 0;        // between the lips; 1 = 24 pixels
  double upper = 0;           // share of the aperture above the closed lips' line
  double spread = 0;          // -1 narrow to 1 spread
  double round = 0;           // protrusion
  double tongue_tip = 0;      // height of the tongue's tip
  double tongue_forward = 0;  // 1 = between the teeth
  // How strongly the sound insists on its target against its neighbours.
  double jaw_weight = 1, lip_weight = 1, shape_weight = 1, tongue_weight = 0.5;
};

/// Contacts that must be reached, however fast the speech is.
enum class Gate { kNone, kBilabialStop, kBilabialNasal, kLabiodental, kDental };

struct Phoneme {
  Viseme first, second;  // the same unless `diphthong`
  bool diphthong = false;
  bool vowel = false;
  bool stop = false;  // its event is the burst: the closure comes before
  Gate gate = Gate::kNone;
};

/// The phoneme of a mnemonic; an unlisted one is read as its longest listed prefix ("@-" as "@",
/// "t2" as "t"). Null when there is none.
const Phoneme* find_phoneme(std::string_view mnemonic);

/// Lips together, before, between and after sentences.
const Viseme& rest_viseme();

}  // namespace raven::synth
