#include "raven/train/tensorboard.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>

#include "raven/core/error.h"
#include "raven/core/files.h"

namespace raven::train {
namespace {

// Protobuf's wire format: a field is its number and type as one varint, then the value.
enum class Wire : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void put_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

void put_key(std::string& out, std::uint32_t field, Wire wire) {
  put_varint(out, field << 3 | static_cast<std::uint32_t>(wire));
}

template <class Number>
void put_raw(std::string& out, Number value) {  // little-endian, as every machine we build for
  std::array<char, sizeof(Number)> bytes;
  std::memcpy(bytes.data(), &value, sizeof(Number));
  out.append(bytes.data(), bytes.size());
}

void put_bytes(std::string& out, std::uint32_t field, const std::string& value) {
  put_key(out, field, Wire::kBytes);
  put_varint(out, value.size());
  out += value;
}

/// The fields of message Event (tensorflow/core/util/event.proto) that every event has.
std::string event_head(std::int64_t step) {
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  std::string event;
  put_key(event, 1, Wire::kFixed64);  // wall_time
  put_raw(event, now);
  put_key(event, 2, Wire::kVarint);  // step
  put_varint(event, static_cast<std::uint64_t>(step));
  return event;
}

std::array<std::uint32_t, 256> crc_table() {
  constexpr std::uint32_t kPolynomial = 0x82F63B78U;  // Castagnoli, bits reversed
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1U) != 0 ? kPolynomial : 0U);
    table[i] = value;
  }
  return table;
}

}  // namespace

std::uint32_t crc32c(const std::string& bytes) {
  static const auto table = crc_table();
  std::uint32_t value = ~std::uint32_t{0};
  for (const char byte : bytes) {
    value = table[(value ^ static_cast<unsigned char>(byte)) & 0xFFU] ^ (value >> 8);
  }
  return ~value;
}

std::uint32_t masked_crc32c(const std::string& bytes) {
  const auto value = crc32c(bytes);
  return (value >> 15 | value << 17) + 0xA282EAD8U;
}

EventWriter::EventWriter(const std::filesystem::path& folder, std::int64_t restart_step) {
  make_folders(folder);
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const auto seconds = std::chrono::duration_cast<std::chrono::microseconds>(
                           std::chrono::system_clock::now().time_since_epoch())
                           .count();
  const bool first_file = std::filesystem::is_empty(folder);
  // TensorBoard reads a folder's files in the order of their names.
  file_ = folder / fmt::format("events.out.tfevents.{:010}.{:06}.{}.{}", seconds / 1000000,
                               seconds % 1000000, host.data(), ::getpid());
  out_.open(file_, std::ios::binary | std::ios::app);
  auto version = event_head(0);
  put_bytes(version, 3, "brain.Event:2");  // file_version
  append(version);
  if (restart_step > 0 || !first_file) {
    std::string session;
    put_key(session, 1, Wire::kVarint);  // SessionLog.status = START
    put_varint(session, 1);
    // This step and later ones are forgotten; a run that starts again makes its look at step 0
    // anew.
    auto restart = event_head(restart_step > 0 ? restart_step + 1 : 0);
    put_bytes(restart, 7, session);
    append(restart);
  }
}

void EventWriter::write(std::int64_t step, const std::map<std::string, double>& scalars) {
  std::string summary;
  for (const auto& [tag, number] : scalars) {
    std::string value;
    put_bytes(value, 1, tag);
    put_key(value, 2, Wire::kFixed32);  // simple_value
    put_raw(value, static_cast<float>(number));
    put_bytes(summary, 1, value);
  }
  auto event = event_head(step);
  put_bytes(event, 5, summary);
  append(event);
}

void EventWriter::append(const std::string& event) {
  std::string length;
  put_raw(length, static_cast<std::uint64_t>(event.size()));
  std::string record = length;
  put_raw(record, masked_crc32c(length));
  record += event;
  put_raw(record, masked_crc32c(event));
  out_.write(record.data(), static_cast<std::streamsize>(record.size()));
  out_.flush();
  if (!out_) throw SystemError(fmt::format("cannot write {}: is the disk full?", file_.string()));
}

}  // namespace raven::train
