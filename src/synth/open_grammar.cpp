// The open grammar: each symbol and what it may become. A token that is no symbol is a word.
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "raven/core/random.h"

namespace raven::synth {

std::vector<std::string> expand_grammar(Random& random);

namespace {

using Rules = std::map<std::string, std::vector<const char*>>;

const Rules& rules() {
  // clang-format off
  static const Rules table = {
      {"S",
       {"NP VP", "NP VP", "NP VP PP", "TIME NP VP", "NP VP CONJ NP VP", "Q NP V NP",
        "PRON WISH TO VB NP", "LET US VB NP PP"}},
      {"NP",
       {"DET N", "DET ADJ N", "DET N PP", "PRON", "POSS N", "POSS ADJ N", "NUM ADJ NS",
        "DET N"}},
      {"VP",
       {"V NP", "V NP PP", "VI ADV", "VI PP", "BE ADJ", "BE VING NP", "MODAL VB NP"}},
      {"PP",
       {"PREP DET N", "PREP POSS N", "PREP DET ADJ N"}},
      {"DET",
       {"THE", "THE", "A", "THIS", "THAT", "EVERY", "ANOTHER"}},
      {"POSS",
       {"MY", "YOUR", "HIS", "HER", "OUR", "THEIR"}},
      {"PRON",
       {"SHE", "HE", "WE", "THEY", "YOU", "PEOPLE", "SOMEONE", "EVERYONE"}},
      {"NUM",
       {"TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE", "TEN", "MANY", "SOME",
        "FEW"}},
      {"TIME",
       {"TODAY", "YESTERDAY", "THIS MORNING", "LAST WEEK", "EVERY SUMMER", "AFTER LUNCH",
        "IN THE EVENING", "LATER"}},
      {"CONJ",
       {"AND", "BUT", "BECAUSE", "WHILE", "BEFORE", "SO"}},
      {"Q",
       {"WHY DID", "WHEN DID", "HOW DID"}},
      {"WISH",
       {"WANTED", "HOPED", "TRIED", "LEARNED", "DECIDED"}},
      {"MODAL",
       {"WILL", "CAN", "SHOULD", "MIGHT", "COULD", "MUST"}},
      {"BE",
       {"WAS", "BECAME", "SEEMED"}},
      {"ADJ",
       {"BIG", "SMALL", "RED", "BLUE", "GREEN", "WHITE", "BLACK", "BROWN", "PURPLE", "ORANGE",
        "OLD", "YOUNG", "WARM", "COLD", "WET", "DRY", "QUIET", "LOUD", "BRIGHT", "DARK",
        "SOFT", "SHARP", "HEAVY", "THIN", "THICK", "ROUND", "FLAT", "SWEET", "FRESH",
        "STRANGE", "HAPPY", "ANGRY", "BRAVE", "CLEVER", "FOOLISH", "GENTLE", "RICH", "POOR",
        "EMPTY", "FULL", "CHEAP", "FAMOUS", "SIMPLE", "WOODEN", "BROKEN", "FAVORITE",
        "BEAUTIFUL", "COMFORTABLE"}},
      {"N",
       {"BABY", "BOAT", "BOOK", "BRIDGE", "BREAD", "BROTHER", "BUTTER", "CAMERA", "CAR",
        "CASTLE", "CAT", "CHAIR", "CHEESE", "CHILD", "CHURCH", "CITY", "CLOUD", "COFFEE",
        "COMPUTER", "DOCTOR", "DOG", "DOOR", "DREAM", "ENGINE", "FARM", "FATHER", "FEATHER",
        "FIELD", "FIRE", "FISH", "FLOWER", "FOREST", "FRIEND", "GARDEN", "GIRL", "GLASS",
        "GUITAR", "HAMMER", "HOUSE", "ISLAND", "JACKET", "JUDGE", "KITCHEN", "KNIFE", "LADDER",
        "LAMP", "LEATHER", "LETTER", "MACHINE", "MAP", "MARKET", "MOON", "MOTHER", "MOUNTAIN",
        "MOVIE", "MUSEUM", "NEIGHBOR", "OCEAN", "OFFICE", "PAPER", "PARK", "PEPPER", "PICTURE",
        "PILOT", "POTATO", "PUPPY", "QUESTION", "RIVER", "ROBOT", "SCHOOL", "SHADOW", "SHEEP",
        "SHIP", "SHOE", "SHOP", "SISTER", "SOLDIER", "STATION", "STORY", "STREET", "TABLE",
        "TEACHER", "THEATER", "TOMATO", "TOWER", "TRAIN", "TREE", "UMBRELLA", "VALLEY",
        "VILLAGE", "VIOLIN", "WATER", "WINDOW", "WINTER", "WOLF", "WOMAN"}},
      {"NS",
       {"APPLES", "BIRDS", "BOATS", "BOOKS", "BOXES", "BOYS", "CHAIRS", "COINS", "DOGS",
        "EGGS", "FISHES", "FLOWERS", "HORSES", "HOUSES", "LETTERS", "MAPS", "PAGES", "PEACHES",
        "SHEETS", "SHOES", "STARS", "STONES", "THINGS", "TREES", "WINDOWS", "WORDS"}},
      {"V",
       {"BOUGHT", "BROUGHT", "BUILT", "CALLED", "CARRIED", "CHANGED", "CHASED", "CHOSE",
        "CLEANED", "COVERED", "DREW", "FED", "FILLED", "FINISHED", "FOLLOWED", "FORGOT",
        "FOUND", "GAVE", "HEARD", "HELPED", "HID", "KEPT", "KNEW", "LEFT", "LIKED", "LOST",
        "LOVED", "MADE", "MET", "MISSED", "MOVED", "OPENED", "PAINTED", "PUSHED", "REACHED",
        "REMEMBERED", "SAVED", "SAW", "SENT", "SHOWED", "SOLD", "TOOK", "TOUCHED", "USED",
        "VISITED", "WANTED", "WASHED", "WATCHED", "WROTE"}},
      {"VB",
       {"BUILD", "BUY", "CARRY", "CHANGE", "CHECK", "CHOOSE", "CLEAN", "COUNT", "DRAW", "FIND",
        "FIX", "FOLLOW", "FORGET", "HELP", "HIDE", "LEAVE", "MAKE", "MEASURE", "MEET", "MOVE",
        "OPEN", "PAINT", "PUSH", "READ", "REACH", "REMEMBER", "SAVE", "SEE", "SELL", "SHARE",
        "TEACH", "THINK ABOUT", "TOUCH", "USE", "VISIT", "WASH", "WATCH", "WRITE"}},
      {"VING",
       {"BUILDING", "BUYING", "CARRYING", "CHASING", "DRAWING", "FEEDING", "FIXING", "MOVING",
        "PAINTING", "PUSHING", "READING", "SHOWING", "TEACHING", "WASHING", "WATCHING"}},
      {"VI",
       {"CAME BACK", "DANCED", "FELL", "JUMPED", "LAUGHED", "LIVED", "PLAYED", "RAN", "SANG",
        "SAT", "SLEPT", "SMILED", "SPOKE", "STAYED", "STOPPED", "SWAM", "TALKED", "WAITED",
        "WALKED", "WORKED"}},
      {"ADV",
       {"AGAIN", "ALONE", "EARLY", "FAST", "OUTSIDE", "QUICKLY", "QUIETLY", "SLOWLY",
        "TOGETHER", "TWICE", "VERY WELL", "WITHOUT FEAR"}},
      {"PREP",
       {"ABOVE", "ACROSS", "BEHIND", "BESIDE", "BY", "FOR", "FROM", "IN", "INTO", "NEAR", "ON",
        "OVER", "THROUGH", "TO", "UNDER", "WITH"}},
  };
  // clang-format on
  return table;
}

}  // namespace

/// The words of one random derivation of S, leftmost symbol first.
std::vector<std::string> expand_grammar(Random& random) {
  std::vector<std::string> words;
  std::vector<std::string> open = {"S"};  // symbols still to expand, the next one last
  while (!open.empty()) {
    const auto symbol = open.back();
    open.pop_back();
    const auto rule = rules().find(symbol);
    if (rule == rules().end()) {
      words.push_back(symbol);
      continue;
    }
    const auto& choices = rule->second;
    std::istringstream chosen(choices[static_cast<std::size_t>(random.below(std::ssize(choices)))]);
    std::vector<std::string> parts;
    for (std::string part; chosen >> part;) parts.push_back(part);
    open.insert(open.end(), parts.rbegin(), parts.rend());
  }
  return words;
}

}  // namespace raven::synth
