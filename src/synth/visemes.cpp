#include "synth/visemes.h"

#include <map>

namespace raven::synth {
namespace {

// clang-format off
//                     jaw  aper   up  sprd  rnd  tip fwd   w jaw lip shape tongue
constexpr Viseme IY  {.12, .27, .46,  .90, .00, .55, 0,  1.0,  1.0,  1.0, 0.6};
constexpr Viseme IH  {.20, .31, .38,  .50, .00, .40, 0,  0.9,  0.9,  0.8, 0.5};
constexpr Viseme EH  {.40, .47, .32,  .45, .00, .30, 0,  1.0,  1.0,  0.8, 0.5};
constexpr Viseme AE  {.66, .68, .30,  .50, .00, .12, 0,  1.1,  1.1,  0.9, 0.5};
constexpr Viseme AA  {.92, .86, .22, -.05, .05, .00, 0,  1.2,  1.2,  0.9, 0.5};
constexpr Viseme AH  {.48, .47, .25,  .00, .05, .15, 0,  0.9,  0.9,  0.7, 0.5};
constexpr Viseme AO  {.60, .52, .28, -.50, .65, .00, 0,  1.1,  1.1,  1.1, 0.5};
constexpr Viseme OO  {.66, .60, .26, -.28, .40, .00, 0,  1.1,  1.1,  1.0, 0.5};
constexpr Viseme OW1 {.44, .42, .30, -.45, .60, .00, 0,  1.0,  1.0,  1.0, 0.5};
constexpr Viseme OW2 {.18, .20, .38, -.85, .95, .05, 0,  1.0,  1.0,  1.2, 0.5};
constexpr Viseme UW  {.14, .16, .40, -.92, 1.0, .10, 0,  1.0,  1.1,  1.3, 0.5};
constexpr Viseme UH  {.22, .24, .35, -.55, .65, .10, 0,  0.9,  0.9,  1.0, 0.5};
constexpr Viseme ER  {.22, .27, .38, -.28, .45, .30, 0,  0.9,  0.9,  0.8, 0.5};
constexpr Viseme AX  {.24, .27, .30,  .00, .05, .25, 0,  0.4,  0.4, 0.25, 0.3};
constexpr Viseme BIL {.08, .10, .30,  .00, .08, .20, 0,  0.8,  0.6, 0.15, 0.2};
constexpr Viseme LAB {.12, .17, .85,  .10, .00, .20, 0,  1.2,  1.6, 0.30, 0.2};
constexpr Viseme TH  {.22, .36, .36,  .15, .00, .45, 1,  1.1,  1.1, 0.35, 1.5};
constexpr Viseme ALV {.12, .24, .38,  .10, .00, 1.0, 0,  0.9, 0.40, 0.12, 1.3};
constexpr Viseme LL  {.36, .38, .30,  .05, .00, .96, 0,  0.7, 0.55, 0.15, 1.5};
constexpr Viseme SS  {.03, .24, .44,  .38, .00, .72, 0,  1.5, 0.95, 0.35, 1.0};
constexpr Viseme SH  {.07, .33, .46, -.45, .80, .50, 0,  1.4,  1.1, 1.20, 0.8};
constexpr Viseme RR  {.15, .21, .38, -.42, .58, .35, 0,  0.8,  0.7, 0.80, 0.6};
constexpr Viseme WW  {.09, .09, .42, -1.0, 1.0, .10, 0,  1.1,  1.5, 2.00, 0.4};
constexpr Viseme YY  {.10, .25, .42,  .75, .00, .60, 0,  0.9,  0.7, 0.55, 0.6};
constexpr Viseme KK  {.22, .26, .32,  .00, .00, .08, 0,  0.5, 0.25, 0.08, 0.8};
constexpr Viseme HH  {.25, .28, .30,  .00, .00, .15, 0, 0.08, 0.08, 0.04, 0.05};
constexpr Viseme REST{.04, .00, .30,  .00, .00, .30, 0,  0.8,  0.9,  0.7, 0.4};
// clang-format on

using Table = std::map<std::string, Phoneme, std::less<>>;

Table make_table() {
  Table table;
  const auto vowels = [&](const Viseme& viseme, std::initializer_list<const char*> mnemonics) {
    for (const char* mnemonic : mnemonics)
      table[mnemonic] = {viseme, viseme, false, true, false, Gate::kNone};
  };
  const auto diphthongs = [&](const Viseme& first, const Viseme& second,
                              std::initializer_list<const char*> mnemonics) {
    for (const char* mnemonic : mnemonics)
      table[mnemonic] = {first, second, true, true, false, Gate::kNone};
  };
  const auto continuants = [&](const Viseme& viseme, std::initializer_list<const char*> mnemonics,
                               Gate gate = Gate::kNone) {
    for (const char* mnemonic : mnemonics)
      table[mnemonic] = {viseme, viseme, false, false, false, gate};
  };
  const auto stops = [&](const Viseme& viseme, std::initializer_list<const char*> mnemonics,
                         Gate gate = Gate::kNone) {
    for (const char* mnemonic : mnemonics)
      table[mnemonic] = {viseme, viseme, false, false, true, gate};
  };

  vowels(IY, {"i:", "i"});
  vowels(IH, {"I", "I2", "I#"});
  vowels(EH, {"E", "E2", "E#"});
  vowels(AE, {"a", "aa"});
  vowels(AA, {"A:", "A", "A#"});
  vowels(AH, {"V", "VR"});
  vowels(AO, {"O", "O:"});
  vowels(OO, {"0", "O2", "0#"});
  vowels(UW, {"u:", "u"});
  vowels(UH, {"U"});
  vowels(ER, {"3:", "3"});
  vowels(AX, {"@", "@2", "@5", "@#", "a#"});
  vowels(REST, {"_", "_:", "_|"});

  diphthongs(EH, IY, {"eI"});
  diphthongs(AA, IY, {"aI"});
  diphthongs(AH, IY, {"aI2"});
  diphthongs(AA, UW, {"aU"});
  diphthongs(OW1, OW2, {"oU", "o"});
  diphthongs(AO, IH, {"OI"});
  diphthongs(EH, AX, {"e@"});
  diphthongs(IY, AX, {"i@"});
  diphthongs(IY, ER, {"i@3"});
  diphthongs(UH, AX, {"U@"});
  diphthongs(AO, ER, {"o@", "O@"});
  diphthongs(AA, ER, {"A@", "aI3"});
  diphthongs(AA, AX, {"aI@", "aU@"});
  diphthongs(AX, LL, {"@L"});

  stops(BIL, {"p", "b"}, Gate::kBilabialStop);
  stops(ALV, {"t", "t#", "t[", "d"});
  stops(SH, {"tS", "dZ"});
  stops(KK, {"k", "g"});
  continuants(BIL, {"m"}, Gate::kBilabialNasal);
  continuants(LAB, {"f", "v"}, Gate::kLabiodental);
  continuants(TH, {"T", "D"}, Gate::kDental);
  continuants(ALV, {"n", "n-"});
  continuants(LL, {"l", "l#", "l-"});
  continuants(SS, {"s", "z", "z#"});
  continuants(SH, {"S", "Z"});
  continuants(RR, {"r", "r-"});
  continuants(WW, {"w", "w#"});
  continuants(YY, {"j"});
  continuants(KK, {"N", "x"});
  continuants(HH, {"h", "?"});
  return table;
}

}  // namespace

const Phoneme* find_phoneme(std::string_view mnemonic) {
  static const Table table = make_table();
  for (; !mnemonic.empty(); mnemonic.remove_suffix(1)) {
    if (const auto found = table.find(mnemonic); found != table.end()) return &found->second;
  }
  return nullptr;
}

const Viseme& rest_viseme() { return REST; }

}  // namespace raven::synth
