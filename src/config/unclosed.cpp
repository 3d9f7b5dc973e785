#include "config/unclosed.h"

#include <spdlog/fmt/fmt.h>

#include <vector>

namespace raven::config {
namespace {

class Scan {
 public:
  std::optional<Unclosed> run(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      take(text[i], i + 1 < text.size() ? text[i + 1] : '\n');
      if (extra_) return extra_;
      ++column_;
      if (text[i] != '\n') continue;
      ++line_;
      column_ = 1;
    }
    if (quote_) return quote_;
    return open_.empty() ? std::nullopt : std::optional(open_.back());
  }

 private:
  [[nodiscard]] Unclosed here(char c) const {
    return {.character = c, .line = line_, .column = column_};
  }

  void take(char c, char next) {
    if (comment_) {
      comment_ = c != '\n';
      starts_ = true;
    } else if (quote_) {
      in_quote(c, next);
    } else if (c == '#' && blank_before_) {
      comment_ = true;
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      starts_ = starts_ || c == '\n';
    } else if ((c == '\'' || c == '"') && starts_) {
      quote_ = here(c);
    } else if (c == '[' || c == '{') {
      if (starts_ || !open_.empty()) open_.push_back(here(c));
      starts_ = true;
    } else if (c == ']' || c == '}') {
      close(c);
    } else {
      // After these a new value begins; ':' and '-' only before a blank.
      const bool before_blank = next == ' ' || next == '\t' || next == '\n' || next == '\r';
      starts_ =
          (c == ',' && !open_.empty()) || ((c == ':' || c == '-' || c == '?') && before_blank);
    }
    blank_before_ = c == ' ' || c == '\t' || c == '\n';
  }

  void in_quote(char c, char next) {
    if (skip_) {
      skip_ = false;
    } else if (quote_->character == '"' && c == '\\') {
      skip_ = true;
    } else if (c == quote_->character) {
      if (c == '\'' && next == '\'') {
        skip_ = true;  // '' is a quote inside
      } else {
        quote_.reset();
        starts_ = false;
      }
    }
  }

  void close(char c) {
    starts_ = false;
    if (!open_.empty() && open_.back().character == (c == ']' ? '[' : '{')) {
      open_.pop_back();
      return;
    }
    extra_ = here(c);
    extra_->opens = false;
    if (!open_.empty()) extra_->expected = open_.back().character == '[' ? ']' : '}';
  }

  int line_ = 1, column_ = 1;
  std::vector<Unclosed> open_;
  std::optional<Unclosed> quote_, extra_;
  bool comment_ = false, skip_ = false;
  bool starts_ = true, blank_before_ = true;  // a value may begin here
};

}  // namespace

std::string Unclosed::text() const {
  if (expected != 0)
    return fmt::format("the bracket '{}' stands where '{}' is expected", character, expected);
  if (!opens) return fmt::format("the bracket '{}' closes nothing", character);
  if (character == '\'' || character == '"')
    return fmt::format("the quote {} is not closed", character);
  return fmt::format("the bracket '{}' is not closed: '{}' is missing", character,
                     character == '[' ? ']' : '}');
}

std::optional<Unclosed> find_unclosed(std::string_view yaml) { return Scan().run(yaml); }

}  // namespace raven::config
