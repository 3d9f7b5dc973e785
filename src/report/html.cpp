#include "report/html.h"

#include <spdlog/fmt/fmt.h>

#include <array>
#include <cmath>

namespace raven::report {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

struct Character {
  char32_t code = 0;
  std::size_t length = 0;  // bytes; 0: no character starts here
};

/// The character at the start of `text`, by RFC 3629: no surrogates, no overlong forms.
Character first_character(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const auto first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {};
  char32_t code = first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3FU);
  }
  constexpr std::array<char32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < kLeast[length] || surrogate || code > 0x10FFFF) return {};
  return {code, length};
}

bool is_shown(char32_t code) {
  if (code == '\n' || code == '\t') return true;
  if (code < 0x20 || (code >= 0x7F && code < 0xA0)) return false;
  const bool turns = code == 0x200E || code == 0x200F || code == 0x061C ||
                     (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
  return !turns;
}

std::string_view entity(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

}  // namespace

std::string escaped(std::string_view text, std::size_t max_characters) {
  std::string out;
  std::size_t characters = 0;
  while (!text.empty()) {
    if (++characters > max_characters) {
      return out + fmt::format("\xE2\x80\xA6 (cut, {} bytes more)", text.size());
    }
    const auto [code, length] = first_character(text);
    if (length == 0 || !is_shown(code)) {
      out += kReplacement;
    } else if (const auto replaced = entity(text[0]); !replaced.empty()) {
      out += replaced;
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string data_uri(std::string_view media_type, std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  auto out = fmt::format("data:{};base64,", media_type);
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      word = (word << 8) | (i + k < bytes.size() ? static_cast<std::uint8_t>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += i + k <= bytes.size() ? kDigits[(word >> (18 - 6 * k)) & 63U] : '=';
    }
  }
  return out;
}

std::string count_text(std::int64_t count) {
  auto digits = fmt::format("{}", count);
  const std::ptrdiff_t first = count < 0 ? 1 : 0;
  for (auto at = std::ssize(digits) - 3; at > first; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return digits;
}

std::string number_text(double value, int digits) {
  if (!std::isfinite(value)) return "not finite";
  if (std::abs(value) >= 1e4 && std::abs(value) < 1e15) return count_text(std::llround(value));
  auto text = fmt::format("{:.{}g}", value, digits);
  if (text[0] == '-') text.replace(0, 1, "\xE2\x88\x92");
  return text;
}

std::string counted(double count, std::string_view noun) {
  return fmt::format("{} {}{}", number_text(count), noun, count == 1 ? "" : "s");
}

std::string percent_text(double fraction) {
  return std::isfinite(fraction) ? fmt::format("{:.1f} %", 100 * fraction) : "not finite";
}

std::string wer_text(double rate) {
  return std::isinf(rate) ? "empty reference" : "WER " + percent_text(rate);
}

std::string number_cell(std::string_view text) {
  return fmt::format("<td class=\"n\">{}</td>", text);
}

std::string details(std::string_view summary, std::string_view content) {
  return fmt::format("<details><summary>{}</summary>{}</details>\n", summary, content);
}

std::string table(std::string_view caption, std::string_view content) {
  return fmt::format(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table>"
      "<caption>{0}</caption>\n{1}</table></div>\n",
      escaped(caption), content);
}

}  // namespace raven::report
