// A reader of TensorBoard's event files, written from the format's description and not from the
// writer.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "raven/core/files.h"
#include "raven/train/tensorboard.h"

namespace raven::train {

struct Field {
  std::uint64_t number = 0, varint = 0;
  std::string bytes;  // of fixed-size and length-prefixed values
};

class Reader {
 public:
  explicit Reader(std::string bytes) : bytes_(std::move(bytes)) {}
  [[nodiscard]] bool at_end() const { return at_ == bytes_.size(); }
  std::string take(std::size_t count) {
    if (count > bytes_.size() - at_) throw std::runtime_error("message ends early");
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }
  template <class Number>
  Number number() {
    Number value;
    std::memcpy(&value, take(sizeof(Number)).data(), sizeof(Number));
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
  }
  Field field() {
    Field result;
    const auto key = varint();
    result.number = key >> 3;
    if ((key & 7) == 0) result.varint = varint();
    if ((key & 7) == 1) result.bytes = take(8);
    if ((key & 7) == 2) result.bytes = take(varint());
    if ((key & 7) == 5) result.bytes = take(4);
    return result;
  }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

/// Of all files of a folder, in the order of their names.
inline std::vector<std::string> records_of(const std::filesystem::path& folder) {
  std::vector<std::string> records;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    Reader reader(read_file(file));
    while (!reader.at_end()) {
      const auto length = reader.take(8);
      EXPECT_EQ(reader.number<std::uint32_t>(), masked_crc32c(length));
      std::uint64_t count = 0;
      std::memcpy(&count, length.data(), 8);
      records.push_back(reader.take(count));
      EXPECT_EQ(reader.number<std::uint32_t>(), masked_crc32c(records.back()));
    }
  }
  return records;
}

/// (step, tag) and number of every scalar that is left when each restart has made its steps
/// forgotten, in the order of the files.
inline std::vector<std::pair<std::pair<std::int64_t, std::string>, float>> scalars_of(
    const std::filesystem::path& folder) {
  std::vector<std::pair<std::pair<std::int64_t, std::string>, float>> scalars;
  for (const auto& record : records_of(folder)) {
    Reader event(record);
    std::int64_t step = 0;
    while (!event.at_end()) {
      const auto field = event.field();
      if (field.number == 2) step = static_cast<std::int64_t>(field.varint);
      if (field.number == 7)
        std::erase_if(scalars, [&](const auto& one) { return one.first.first >= step; });
      if (field.number != 5) continue;
      Reader summary(field.bytes);
      while (!summary.at_end()) {
        Reader value(summary.field().bytes);
        const auto tag = value.field().bytes;
        scalars.emplace_back(std::pair(step, tag), Reader(value.field().bytes).number<float>());
      }
    }
  }
  return scalars;
}

}  // namespace raven::train
