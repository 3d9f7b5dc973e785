#include "raven/core/utf8.h"

#include <spdlog/fmt/fmt.h>

#include <cstdint>

namespace raven {
namespace {

/// Of the sets C0 and C1, and what embeds, overrides or isolates a direction of writing.
bool steers(char32_t code) noexcept {
  if (code == '\n' || code == '\t') return false;
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

}  // namespace

std::size_t utf8_length(std::string_view text) noexcept {
  if (text.empty()) return 0;
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const auto first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const auto second = byte(1);
  const bool refused = (first == 0xE0 && second < 0xA0) || (first == 0xED && second >= 0xA0) ||
                       (first == 0xF0 && second < 0x90) || (first == 0xF4 && second >= 0x90);
  return refused ? 0 : length;
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

Character take_character(std::string_view& text) noexcept {
  const auto length = utf8_length(text);
  const auto bytes = text.substr(0, length == 0 ? 1 : length);
  text.remove_prefix(bytes.size());
  if (length == 0) return {.code = kReplacementCharacter, .bytes = bytes};
  const auto byte = [bytes](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  char32_t code = length == 1 ? byte(0) : byte(0) & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) code = code << 6 | (byte(i) & 0x3FU);
  return {.code = code, .bytes = bytes};
}

std::size_t num_characters(std::string_view text) noexcept {
  std::size_t count = 0;
  for (; !text.empty(); ++count) take_character(text);
  return count;
}

void append_utf8(std::string& out, char32_t code) {
  const auto put = [&out](char32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

std::string printable(std::string_view text) {
  const bool keep_high_bytes = is_utf8(text);
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    const bool escaped =
        byte < 0x20 || byte == 0x7F || c == '%' || (byte >= 0x80 && !keep_high_bytes);
    if (escaped) {
      out += fmt::format("%{:02X}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::string for_terminal(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto character = take_character(text);
    if (character.code == kReplacementCharacter && character.bytes.size() == 1) {
      out += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(character.bytes[0]));
    } else if (steers(character.code)) {
      out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(character.code));
    } else {
      out += character.bytes;
    }
  }
  return out;
}

std::string as_utf8(std::string_view text) {
  return is_utf8(text) ? std::string(text) : printable(text);
}

}  // namespace raven
