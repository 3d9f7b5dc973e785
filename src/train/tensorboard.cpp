#include "raven/train/tensorboard.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <string_view>

#include "raven/core/error.h"
#include "raven/core/files.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "events.out.tfevents.";
constexpr std::int64_t kMicroseconds = 1'000'000;

/// The digits with which a text begins; empty when there are none, or too many.
std::optional<std::int64_t> leading_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool fits = error == std::errc() && number < 1'000'000'000'000;
  return fits ? std::optional(number) : std::nullopt;
}

/// In microseconds: the time, or what follows the greatest number of a file that is there.
std::int64_t next_number(const fs::path& folder) {
  std::int64_t number = std::chrono::duration_cast<std::chrono::microseconds>(
                            std::chrono::system_clock::now().time_since_epoch())
                            .count();
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    // A host's name may follow the seconds at once, so their whole second is passed.
    if (const auto seconds = leading_number(std::string_view(name).substr(kPrefix.size())))
      number = std::max(number, (*seconds + 1) * kMicroseconds);
  }
  return number;
}

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

EventWriter::EventWriter(const fs::path& folder, std::int64_t forget_from) {
  make_folders(folder);
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const bool first_file = fs::is_empty(folder);
  const auto number = next_number(folder);
  file_ = folder / fmt::format("{}{:010}.{:06}.{}.{}", kPrefix, number / kMicroseconds,
                               number % kMicroseconds, host.data(), ::getpid());
  out_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
  if (out_ < 0) fail("create");
  auto version = event_head(0);
  put_bytes(version, 3, "brain.Event:2");  // file_version
  append(version);
  if (forget_from > 0 || !first_file) {
    std::string session;
    put_key(session, 1, Wire::kVarint);  // SessionLog.status = START
    put_varint(session, 1);
    auto restart = event_head(forget_from);
    put_bytes(restart, 7, session);
    append(restart);
  }
  flush_to_disk(folder);
}

EventWriter::~EventWriter() {
  if (out_ >= 0) ::close(out_);
}

void EventWriter::flush() {
  if (::fsync(out_) != 0 && errno != EINVAL && errno != ENOTSUP) fail("flush");
}

void EventWriter::fail(const char* action) const {
  throw SystemError(fmt::format("cannot {} {}: {}", action, file_.string(), std::strerror(errno)));
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
  for (std::string_view rest = record; !rest.empty();) {
    const auto written = ::write(out_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write");
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace raven::train
