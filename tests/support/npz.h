// Arrays of a NumPy .npz file, whose entries may be compressed.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>

namespace raven {

/// The .npy files in it, by name without their ending. Reads what np.savez and
/// np.savez_compressed write.
inline std::map<std::string, std::string> read_npz(const std::string& zip) {
  constexpr std::size_t kEndRecord = 22, kEntry = 46, kLocalHeader = 30;
  const auto number = [&](std::size_t at, int bytes) {
    std::uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; --i)
      value = value << 8 | static_cast<unsigned char>(zip.at(at + static_cast<std::size_t>(i)));
    return static_cast<std::size_t>(value);
  };
  if (zip.size() < kEndRecord) throw std::runtime_error("no .npz file");
  const auto end = zip.size() - kEndRecord;  // NumPy writes no comment
  std::map<std::string, std::string> arrays;
  auto at = number(end + 16, 4);
  for (std::size_t left = number(end + 10, 2); left > 0; --left) {
    const auto method = number(at + 10, 2), stored = number(at + 20, 4), size = number(at + 24, 4);
    const auto name_size = number(at + 28, 2), local = number(at + 42, 4);
    auto name = zip.substr(at + kEntry, name_size);
    const auto begin = local + kLocalHeader + number(local + 26, 2) + number(local + 28, 2);
    std::string content(size, '\0');
    if (method == 0) {
      content = zip.substr(begin, size);
    } else {
      z_stream stream{};
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(zip.data() + begin));
      stream.avail_in = static_cast<uInt>(stored);
      stream.next_out = reinterpret_cast<Bytef*>(content.data());
      stream.avail_out = static_cast<uInt>(size);
      const bool whole = inflateInit2(&stream, -MAX_WBITS) == Z_OK &&
                         inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_out == 0;
      inflateEnd(&stream);
      if (!whole) throw std::runtime_error("damaged .npz entry " + name);
    }
    arrays[name.substr(0, name.size() - std::strlen(".npy"))] = std::move(content);
    at += kEntry + name_size + number(at + 30, 2) + number(at + 32, 2);
  }
  return arrays;
}

}  // namespace raven
