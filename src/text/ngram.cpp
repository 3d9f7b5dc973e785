#include "raven/text/ngram.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>

#include "raven/core/error.h"
#include "raven/core/lines.h"
#include "raven/core/utf8.h"

namespace raven::text {
namespace {

constexpr double kLn10 = 2.302585092994045684;
constexpr double kCertainlyNot = -99;  // log10, as ARPA files write a probability of 0
constexpr std::int64_t kMostOrders = 10;
/// Where n-grams that occur once or twice are too few to say how much to take off.
constexpr double kUsualDiscount = 0.5;

std::uint64_t key_of(std::uint32_t context, NgramWord word) {
  return static_cast<std::uint64_t>(context) << 32 | static_cast<std::uint32_t>(word);
}

}  // namespace

/// Collects n-grams level by level: all of one length before any of the next.
class NgramBuilder {
 public:
  enum class Added { kYes, kTwice, kNoContext };

  void begin_level() {
    finish_level();
    model_.levels_.emplace_back();
  }
  /// Words of the first level are made known by it.
  NgramWord word(std::string_view text) {
    const auto id = static_cast<NgramWord>(model_.words_.size());
    const auto [at, is_new] = model_.ids_.emplace(std::string(text), id);
    if (is_new) model_.words_.emplace_back(text);
    return at->second;
  }
  Added add(std::span<const NgramWord> ngram, double log10_prob, double log10_backoff) {
    std::uint32_t context = 0;
    if (ngram.size() > 1) {
      context = model_.place_of(ngram.first(ngram.size() - 1));
      if (context == NgramModel::kNone) return Added::kNoContext;
    }
    auto& level = model_.levels_.back();
    level.keys.push_back(key_of(context, ngram.back()));
    level.log10_probs.push_back(static_cast<float>(log10_prob));
    level.log10_backoffs.push_back(static_cast<float>(log10_backoff));
    return Added::kYes;
  }
  /// The n-gram that comes twice in the level that was added last, if there is one.
  std::optional<std::string> finish_level();
  [[nodiscard]] const NgramModel& model() const { return model_; }
  NgramModel finish();

 private:
  NgramModel model_;
};

std::optional<std::string> NgramBuilder::finish_level() {
  if (model_.levels_.empty()) return std::nullopt;
  auto& level = model_.levels_.back();
  if (!std::ranges::is_sorted(level.keys)) {
    std::vector<std::uint32_t> order(level.keys.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, {}, [&](std::uint32_t i) { return level.keys[i]; });
    const auto permuted = [&](const auto& values) {
      std::remove_cvref_t<decltype(values)> result;
      result.reserve(values.size());
      for (const auto i : order) result.push_back(values[i]);
      return result;
    };
    level = {.keys = permuted(level.keys),
             .log10_probs = permuted(level.log10_probs),
             .log10_backoffs = permuted(level.log10_backoffs)};
  }
  const auto twice = std::ranges::adjacent_find(level.keys);
  if (twice == level.keys.end()) return std::nullopt;
  return model_.words_[static_cast<std::uint32_t>(*twice)];
}

NgramModel NgramBuilder::finish() {
  const auto id = [&](const char* name) { return model_.find(name).value_or(-1); };
  model_.begin_ = id(NgramModel::kBegin);
  model_.end_ = id(NgramModel::kEnd);
  model_.unknown_ = id(NgramModel::kUnknown);
  if (model_.unknown_ < 0) model_.unknown_ = id("<UNK>");
  model_.rarest_ = 0;
  for (const auto log10_prob : model_.levels_.front().log10_probs) {
    if (log10_prob > kCertainlyNot) model_.rarest_ = std::min(model_.rarest_, log10_prob);
  }
  return std::move(model_);
}

std::uint32_t NgramModel::Level::place(std::uint32_t context, NgramWord word) const {
  const auto key = key_of(context, word);
  const auto found = std::ranges::lower_bound(keys, key);
  return found != keys.end() && *found == key ? static_cast<std::uint32_t>(found - keys.begin())
                                              : kNone;
}

std::uint32_t NgramModel::place_of(std::span<const NgramWord> ngram) const {
  std::uint32_t place = 0;
  for (std::size_t i = 0; i < ngram.size() && place != kNone; ++i)
    place = levels_[i].place(place, ngram[i]);
  return place;
}

std::optional<NgramWord> NgramModel::find(std::string_view word) const {
  const auto found = ids_.find(std::string(word));
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

NgramWord NgramModel::find_or_unknown(std::string_view word) const {
  return find(word).value_or(unknown_);
}

double NgramModel::log_prob(std::span<const NgramWord> history, NgramWord word) const {
  const auto longest = std::min(history.size(), levels_.size() - 1);
  double log10_weights = 0;
  for (auto context = history.last(longest);; context = context.subspan(1)) {
    const auto place = place_of(context);
    if (place != kNone) {
      const auto& level = levels_[context.size()];
      const auto found = word < 0 ? kNone : level.place(place, word);
      if (found != kNone) return kLn10 * (log10_weights + level.log10_probs[found]);
      if (!context.empty()) log10_weights += levels_[context.size() - 1].log10_backoffs[place];
    }
    if (context.empty()) break;
  }
  return kLn10 * (log10_weights + rarest_);
}

std::vector<float> NgramModel::log_probs(std::span<const NgramWord> history) const {
  std::vector<float> log10s(static_cast<std::size_t>(num_words()) + 1, rarest_);
  const auto& words = levels_.front();
  for (std::size_t i = 0; i < words.keys.size(); ++i)
    log10s[static_cast<std::uint32_t>(words.keys[i])] = words.log10_probs[i];
  const auto longest = std::min(history.size(), levels_.size() - 1);
  for (std::size_t n = 1; n <= longest; ++n) {  // longer contexts over shorter ones
    const auto place = place_of(history.last(n));
    if (place == kNone) continue;
    for (auto& value : log10s) value += levels_[n - 1].log10_backoffs[place];
    const auto& level = levels_[n];
    auto at = std::ranges::lower_bound(level.keys, key_of(place, 0));
    for (; at != level.keys.end() && *at >> 32 == place; ++at)
      log10s[static_cast<std::uint32_t>(*at)] =
          level.log10_probs[static_cast<std::size_t>(at - level.keys.begin())];
  }
  for (auto& value : log10s) value *= static_cast<float>(kLn10);
  return log10s;
}

namespace {

/// One pass over an ARPA file.
class ArpaParser {
 public:
  ArpaParser(std::string_view content, const std::string& name)
      : lines_(content, name), name_(name) {}

  NgramModel parse() {
    read_counts();
    for (std::size_t n = 1; n <= counts_.size(); ++n) read_level(n);
    expect("\\end\\");
    auto model = builder_.finish();
    if (model.begin() < 0 || model.end() < 0) {
      throw DataError(fmt::format("{}: lists no {} and {}, the bounds of a sentence", name_,
                                  NgramModel::kBegin, NgramModel::kEnd),
                      "arpa");
    }
    return model;
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw DataError(fmt::format("{}:{}: {}", name_, lines_.number(), problem), "arpa");
  }

  /// The next line that is not empty; none at the end.
  std::optional<std::string_view> line() {
    while (const auto next = lines_.next()) {
      if (next->find_first_not_of(" \t") != std::string_view::npos) return next;
    }
    return std::nullopt;
  }

  void expect(std::string_view wanted) {
    const auto found = line();
    if (!found) fail(fmt::format("the file ends where '{}' is expected", wanted));
    if (*found != wanted) {
      fail(fmt::format("is '{}', expected '{}'", printable(found->substr(0, 40)), wanted));
    }
  }

  /// What stands before is a comment.
  void read_counts() {
    do {
      const auto found = line();
      if (!found) fail("no line '\\data\\': not an ARPA file");
      if (*found == "\\data\\") break;
    } while (true);
    auto found = line();
    for (; found && found->starts_with("ngram "); found = line()) {
      std::int64_t order = 0, count = 0;
      const auto text = found->substr(6);
      const auto equals = text.find('=');
      if (equals == std::string_view::npos || !number(trimmed(text.substr(0, equals)), order) ||
          !number(trimmed(text.substr(equals + 1)), count) || count < 0 ||
          order != std::ssize(counts_) + 1 || order > kMostOrders) {
        fail(fmt::format("expected 'ngram {}=<count>', at most {} orders", counts_.size() + 1,
                         kMostOrders));
      }
      counts_.push_back(count);
    }
    if (counts_.empty()) fail("no count 'ngram 1=...'");
    if (!found || *found != "\\1-grams:") fail("expected '\\1-grams:'");
  }

  static std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
  }

  template <class Number>
  static bool number(std::string_view text, Number& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
  }

  void read_level(std::size_t n) {
    if (n > 1) expect(fmt::format("\\{}-grams:", n));
    builder_.begin_level();
    for (std::int64_t i = 0; i < counts_[n - 1]; ++i) {
      const auto found = line();
      if (!found || found->starts_with('\\')) {
        fail(fmt::format("{} of {} {}-grams are there", i, counts_[n - 1], n));
      }
      add(*found, n);
    }
    if (const auto word = builder_.finish_level())
      fail(fmt::format("above: an n-gram of {} ending in '{}' comes twice", n, printable(*word)));
  }

  /// `log10 p <words> [log10 back-off]`; blanks or tabs.
  void add(std::string_view text, std::size_t n) {
    fields_.clear();
    while (!(text = trimmed(text)).empty()) {
      const auto end = text.find_first_of(" \t");
      fields_.push_back(text.substr(0, end));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end);
    }
    double prob = 0, backoff = 0;
    if ((fields_.size() != n + 1 && fields_.size() != n + 2) || !number(fields_[0], prob) ||
        (fields_.size() == n + 2 && !number(fields_[n + 1], backoff)) || std::isnan(prob) ||
        !(prob <= 0) || !std::isfinite(backoff)) {
      fail(fmt::format("expected a logarithm, {} words and perhaps a back-off weight", n));
    }
    ngram_.clear();
    for (std::size_t i = 1; i <= n; ++i) {
      const auto known = builder_.model().find(fields_[i]);
      if (n == 1 && known) fail(fmt::format("'{}' comes twice", printable(fields_[i])));
      if (n > 1 && !known)
        fail(fmt::format("'{}' is not among the words of the file", printable(fields_[i])));
      ngram_.push_back(known ? *known : builder_.word(fields_[i]));
    }
    if (builder_.add(ngram_, std::max(prob, kCertainlyNot), backoff) ==
        NgramBuilder::Added::kNoContext)
      fail("the words before the last one are not listed one order below");
  }

  Lines lines_;
  std::string name_;
  std::vector<std::int64_t> counts_;
  NgramBuilder builder_;
  std::vector<std::string_view> fields_;
  std::vector<NgramWord> ngram_;
};

/// Throws where the bytes are those of another kind of file.
void refuse_other_kinds(std::string_view content, const std::string& name) {
  if (content.starts_with("mmap lm http://kheafield.com"))
    throw DataError(name + ": is a binary of KenLM; give the ARPA file that it was built from",
                    "arpa");
  if (content.starts_with("\x1F\x8B"))
    throw DataError(name + ": is compressed; unpack it first (gunzip)", "arpa");
}

}  // namespace

NgramModel NgramModel::parse_arpa(std::string_view content, const std::string& name) {
  refuse_other_kinds(content, name);
  return ArpaParser(content, name).parse();
}

void NgramModel::write_level(std::size_t level, std::vector<NgramWord>& ngram,
                             std::uint32_t context, std::string& text) const {
  const auto depth = ngram.size();
  const auto& here = levels_[depth];
  auto at = std::ranges::lower_bound(here.keys, key_of(context, 0));
  for (; at != here.keys.end() && *at >> 32 == context; ++at) {
    const auto place = static_cast<std::uint32_t>(at - here.keys.begin());
    ngram.push_back(static_cast<NgramWord>(static_cast<std::uint32_t>(*at)));
    if (depth == level) {
      std::vector<std::string_view> words;
      for (const auto one : ngram) words.push_back(word(one));
      text += fmt::format("{:.7f}\t{}", here.log10_probs[place], fmt::join(words, " "));
      if (level + 1 < levels_.size()) text += fmt::format("\t{:.7f}", here.log10_backoffs[place]);
      text += '\n';
    } else {
      write_level(level, ngram, place, text);
    }
    ngram.pop_back();
  }
}

std::string NgramModel::arpa() const {
  std::string text = "\\data\\\n";
  for (std::size_t i = 0; i < levels_.size(); ++i)
    text += fmt::format("ngram {}={}\n", i + 1, levels_[i].keys.size());
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    text += fmt::format("\n\\{}-grams:\n", i + 1);
    std::vector<NgramWord> ngram;
    write_level(i, ngram, 0, text);
  }
  return text + "\n\\end\\\n";
}

namespace {

/// What Kneser-Ney takes off every count.
double discount(const std::map<std::int64_t, std::int64_t>& num_with_count) {
  const auto of = [&](std::int64_t count) {
    const auto found = num_with_count.find(count);
    return found == num_with_count.end() ? 0.0 : static_cast<double>(found->second);
  };
  const double once = of(1), twice = of(2);
  return once > 0 && twice > 0 ? once / (once + 2 * twice) : kUsualDiscount;
}

using BigramCounts = std::map<std::int64_t, std::map<std::int64_t, std::int64_t>>;

/// Interpolated with a uniform distribution over `candidates`; of the others only `of_count`.
std::vector<double> continuation_log10(const BigramCounts& bigrams, std::int64_t num_ids,
                                       const std::vector<std::int64_t>& candidates) {
  std::vector<std::int64_t> follows(static_cast<std::size_t>(num_ids));  // different words
  std::int64_t total = 0, types = 0;
  for (const auto& [first, seconds] : bigrams) {
    for (const auto& [second, count] : seconds) {
      types += follows[static_cast<std::size_t>(second)]++ == 0 ? 1 : 0;
      ++total;
    }
  }
  std::map<std::int64_t, std::int64_t> num_with_count;
  for (const auto count : follows) ++num_with_count[count];
  const auto off = discount(num_with_count);
  const auto total_count = static_cast<double>(total);
  const double shared =
      off * static_cast<double>(types) / total_count / static_cast<double>(candidates.size());
  std::vector<double> log10_probs(static_cast<std::size_t>(num_ids), kCertainlyNot);
  for (const auto id : candidates) {
    const auto count = static_cast<double>(follows[static_cast<std::size_t>(id)]);
    log10_probs[static_cast<std::size_t>(id)] =
        std::log10(std::max(count - off, 0.0) / total_count + shared);
  }
  return log10_probs;
}

}  // namespace

NgramModel kneser_ney_bigram(const Sentences& sentences, const std::vector<std::string>& names) {
  if (sentences.size() == 0) throw ConfigError("a bigram needs a sentence at least");
  // The last unit ends a sentence; the blank, which no text holds, stands for its beginning here.
  const auto num_ids = std::ssize(names);
  const std::int64_t begin = 0, end = num_ids - 1;
  BigramCounts bigrams;
  for (std::int64_t i = 0; i < sentences.size(); ++i) {
    auto before = begin;
    for (const std::int64_t unit : sentences[i]) {
      RAVEN_CHECK(unit > begin && unit < end, "unit {} in a sentence", unit);
      ++bigrams[before][unit];
      before = unit;
    }
    ++bigrams[before][end];
  }
  std::vector<std::int64_t> candidates(static_cast<std::size_t>(num_ids - 1));
  std::iota(candidates.begin(), candidates.end(), 1);
  const auto single = continuation_log10(bigrams, num_ids, candidates);
  std::map<std::int64_t, std::int64_t> num_with_count;
  for (const auto& [first, seconds] : bigrams) {
    for (const auto& [second, count] : seconds) ++num_with_count[count];
  }
  const auto off = discount(num_with_count);

  struct Context {
    double total = 0, weight = 1;  // occurrences; of the single words' probability
  };
  std::vector<Context> contexts(static_cast<std::size_t>(num_ids));
  for (const auto& [first, seconds] : bigrams) {
    auto& context = contexts[static_cast<std::size_t>(first)];
    for (const auto& [second, count] : seconds) context.total += static_cast<double>(count);
    context.weight = off * static_cast<double>(seconds.size()) / context.total;
  }

  NgramBuilder builder;
  std::vector<NgramWord> word_of(static_cast<std::size_t>(num_ids));
  builder.begin_level();
  for (std::int64_t id = 0; id < num_ids; ++id) {
    const auto at = static_cast<std::size_t>(id);
    const auto* name = id == begin ? NgramModel::kBegin : id == end ? NgramModel::kEnd : nullptr;
    word_of[at] = builder.word(name != nullptr ? std::string_view(name) : names[at]);
    builder.add(std::array{word_of[at]}, single[at], std::log10(contexts[at].weight));
  }
  builder.begin_level();
  for (const auto& [first, seconds] : bigrams) {
    const auto& context = contexts[static_cast<std::size_t>(first)];
    for (const auto& [second, count] : seconds) {
      const double p = (static_cast<double>(count) - off) / context.total +
                       context.weight * std::pow(10, single[static_cast<std::size_t>(second)]);
      builder.add(std::array{word_of[static_cast<std::size_t>(first)],
                             word_of[static_cast<std::size_t>(second)]},
                  std::log10(p), 0);
    }
  }
  builder.finish_level();
  return builder.finish();
}

}  // namespace raven::text
