// Which kind of file bytes are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace raven::weights {

/// A length that the file holds, then JSON. Told first: the length may begin as a zip or a pickle
/// does.
inline bool is_safetensors(std::string_view bytes) {
  constexpr std::size_t kLengthBytes = 8;
  if (bytes.size() <= kLengthBytes || bytes[kLengthBytes] != '{') return false;
  std::uint64_t length = 0;
  for (std::size_t i = kLengthBytes; i > 0; --i)
    length = (length << 8U) | static_cast<std::uint8_t>(bytes[i - 1]);
  return length <= bytes.size() - kLengthBytes;
}

inline bool is_zip(std::string_view bytes) {
  return bytes.starts_with("PK") && !is_safetensors(bytes);
}

/// Of torch.save: a zip, or pickles one after another.
inline bool is_archive(std::string_view bytes) {
  return is_zip(bytes) || (bytes.starts_with("\x80") && !is_safetensors(bytes));
}

}  // namespace raven::weights
