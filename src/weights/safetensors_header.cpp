#include "weights/safetensors_header.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "raven/core/error.h"
#include "raven/core/sha256.h"
#include "raven/core/utf8.h"
#include "raven/weights/safetensors.h"

namespace raven::weights {
namespace {

using Json = nlohmann::json;

constexpr const char* kMetadataKey = "__metadata__";
constexpr std::size_t kMaxDimensions = 64;

constexpr std::array<std::pair<std::string_view, c10::ScalarType>, 13> kTypes = {{
    {"F64", c10::ScalarType::Double},
    {"F32", c10::ScalarType::Float},
    {"F16", c10::ScalarType::Half},
    {"BF16", c10::ScalarType::BFloat16},
    {"I64", c10::ScalarType::Long},
    {"I32", c10::ScalarType::Int},
    {"I16", c10::ScalarType::Short},
    {"I8", c10::ScalarType::Char},
    {"U64", c10::ScalarType::UInt64},
    {"U32", c10::ScalarType::UInt32},
    {"U16", c10::ScalarType::UInt16},
    {"U8", c10::ScalarType::Byte},
    {"BOOL", c10::ScalarType::Bool},
}};

/// A name as it may stand in a message.
std::string shown(std::string_view name) { return printable(name.substr(0, 200)); }

std::optional<c10::ScalarType> type_named(std::string_view name) {
  for (const auto& [known, type] : kTypes) {
    if (known == name) return type;
  }
  return std::nullopt;
}

/// Reads the one layout that the format allows, straight from parser events, so hostile nesting or
/// numbers never become a tree in memory:
/// {"__metadata__": {text: text}, name: {"dtype": text, "shape": [n...], "data_offsets": [n, n]}}
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(SafetensorsHeader& header) : header_(header) {}

  [[nodiscard]] const std::string& problem() const { return problem_; }

  bool key(string_t& text) override {
    key_ = text;
    if (depth_ == 1) {
      in_metadata_ = text == kMetadataKey;
      if (in_metadata_ && std::exchange(seen_metadata_, true)) {
        return fail(fmt::format("'{}' is listed twice", shown(text)));
      }
    } else if (in_metadata_) {
      if (header_.metadata.count(text) != 0) {
        return fail(fmt::format("metadata '{}' is listed twice", shown(text)));
      }
    } else if (!fields_.insert(text).second) {
      return fail(place("field '" + shown(text) + "' is given twice"));
    } else if (text != "dtype" && text != "shape" && text != "data_offsets") {
      return fail(place("unknown field '" + shown(text) + "'"));
    }
    return true;
  }
  bool start_object(std::size_t) override {
    if (in_list_ || depth_ >= 2) return unexpected("an object");
    if (++depth_ == 2 && !in_metadata_) {
      header_.places.emplace_back().name = key_;
      fields_.clear();
      offsets_.clear();
    }
    return true;
  }
  bool end_object() override {
    if (--depth_ != 1 || in_metadata_) return true;
    if (fields_.size() != 3) return fail(place("expected dtype, shape and data_offsets"));
    if (offsets_.size() != 2) return fail(place("expected two data_offsets"));
    header_.places.back().begin = offsets_[0];
    header_.places.back().end = offsets_[1];
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_metadata_ || in_list_ || key_ == "dtype") return unexpected("a list");
    return in_list_ = true;
  }
  bool end_array() override {
    in_list_ = false;
    return true;
  }
  bool string(string_t& text) override {
    if (depth_ == 2 && in_metadata_) {
      header_.metadata.emplace(key_, text);
      return true;
    }
    if (depth_ != 2 || in_list_ || key_ != "dtype") return unexpected("text");
    const auto type = type_named(text);
    if (!type) return fail(place("unknown element type '" + shown(text) + "'"));
    header_.places.back().type = *type;
    return true;
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (!in_list_) return unexpected("a number");
    if (key_ == "data_offsets") {
      offsets_.push_back(value);
      return offsets_.size() <= 2 || fail(place("expected two data_offsets"));
    }
    auto& shape = header_.places.back().shape;
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return fail(place(fmt::format("dimension {} is too large", value)));
    }
    shape.push_back(static_cast<std::int64_t>(value));
    return shape.size() <= kMaxDimensions || fail(place("has too many dimensions"));
  }
  bool null() override {  // as some writers have it that leave nothing out
    const bool no_metadata = depth_ == 1 && in_metadata_;
    return no_metadata || unexpected("null");
  }
  bool boolean(bool) override { return unexpected("true or false"); }
  bool number_integer(number_integer_t) override { return unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return unexpected("a fraction"); }
  bool binary(binary_t&) override { return unexpected("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    return fail(fmt::format("header is not valid JSON near its byte {}", position));
  }

 private:
  bool fail(const std::string& problem) {
    if (problem_.empty()) problem_ = problem;
    return false;
  }
  bool unexpected(const std::string& what) {
    return fail(depth_ < 2 ? fmt::format("header holds {} where a tensor's entry belongs", what)
                : in_metadata_
                    ? fmt::format("metadata '{}' is {}, expected text", shown(key_), what)
                    : place(fmt::format("{} in field '{}'", what, shown(key_))));
  }
  [[nodiscard]] std::string place(const std::string& problem) const {
    return fmt::format("tensor '{}': {}", shown(header_.places.back().name), problem);
  }

  SafetensorsHeader& header_;
  std::string problem_;
  int depth_ = 0;
  bool in_metadata_ = false, seen_metadata_ = false;
  bool in_list_ = false;
  std::string key_;
  std::set<std::string> fields_;  // of one tensor
  std::vector<std::uint64_t> offsets_;
};

/// Bytes of a tensor, or nothing where the product does not fit in 63 bits.
std::optional<std::uint64_t> bytes_of(const TensorPlace& place) {
  constexpr auto kLimit = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  std::uint64_t product = 1;  // of all dimensions but zeros: strides are computed from it as well
  bool empty = false;
  for (const auto size : place.shape) {
    if (size == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(product, static_cast<std::uint64_t>(size), &product) ||
               product > kLimit) {
      return std::nullopt;
    }
  }
  if (__builtin_mul_overflow(product, c10::elementSize(place.type), &product) || product > kLimit) {
    return std::nullopt;
  }
  return empty ? 0 : product;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

/// Pointers to the places, sorted: no name is copied.
template <class Less>
std::vector<const TensorPlace*> sorted(const SafetensorsHeader& header, Less less) {
  std::vector<const TensorPlace*> places;
  places.reserve(header.places.size());
  for (const auto& place : header.places) places.push_back(&place);
  std::stable_sort(places.begin(), places.end(),
                   [&](const auto* a, const auto* b) { return less(*a, *b); });
  return places;
}

void check_names(const SafetensorsHeader& header, const std::string& source) {
  const auto by_name = sorted(header, [](const auto& a, const auto& b) { return a.name < b.name; });
  const auto twice =
      std::adjacent_find(by_name.begin(), by_name.end(),
                         [](const auto* a, const auto* b) { return a->name == b->name; });
  if (twice != by_name.end()) {
    throw CheckpointError(fmt::format("{}: '{}' is listed twice", source, shown((*twice)->name)));
  }
}

void check_places(const SafetensorsHeader& header, std::uint64_t data_bytes,
                  const std::string& source) {
  for (const auto& place : header.places) {
    const auto bytes = bytes_of(place);
    if (!bytes) {
      throw CheckpointError(fmt::format("{}: tensor '{}': shape {} is too large", source,
                                        shown(place.name), shape_text(place.shape)));
    }
    if (place.begin > place.end || place.end > data_bytes) {
      throw CheckpointError(
          fmt::format("{}: tensor '{}': bytes {} to {} lie outside the file's {} bytes of data; is "
                      "it cut short?",
                      source, shown(place.name), place.begin, place.end, data_bytes));
    }
    if (place.end - place.begin != *bytes) {
      throw CheckpointError(
          fmt::format("{}: tensor '{}': shape {} of {} takes {} bytes, the file gives {}", source,
                      shown(place.name), shape_text(place.shape), c10::toString(place.type), *bytes,
                      place.end - place.begin));
    }
  }
  const auto by_offset = sorted(header, [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t next = 0;
  for (const auto* place : by_offset) {
    if (place->begin != next) {
      throw CheckpointError(
          fmt::format("{}: tensor '{}' begins at byte {}, expected {}: tensors must {}", source,
                      shown(place->name), place->begin, next,
                      place->begin < next ? "not overlap" : "leave no gaps"));
    }
    next = place->end;
  }
  if (next != data_bytes) {
    throw CheckpointError(
        fmt::format("{}: {} bytes follow the last tensor", source, data_bytes - next));
  }
}

}  // namespace

std::uint64_t safetensors_header_length(std::string_view first_bytes, std::uint64_t file_bytes,
                                        const std::string& source) {
  if (file_bytes < kLengthBytes || first_bytes.size() < kLengthBytes) {
    throw CheckpointError(fmt::format("{}: {} bytes are too few for a safetensors file", source,
                                      std::min<std::uint64_t>(file_bytes, first_bytes.size())));
  }
  std::uint64_t length = 0;
  std::memcpy(&length, first_bytes.data(), kLengthBytes);
  if (length > file_bytes - kLengthBytes) {
    throw CheckpointError(fmt::format(
        "{}: header of {} bytes in a file of {}; it is cut short or not a safetensors file", source,
        length, file_bytes));
  }
  if (length > kMaxHeaderBytes) {
    throw CheckpointError(fmt::format("{}: header of {} bytes, expected at most {}", source, length,
                                      kMaxHeaderBytes));
  }
  return length;
}

SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t data_bytes,
                                           const std::string& source) {
  SafetensorsHeader header;
  HeaderReader reader(header);
  if (json.empty() || json.front() != '{') {
    throw CheckpointError(fmt::format("{}: header is not a JSON object", source));
  }
  if (json.find('\0') != json.npos) {  // the parser would take it for the end
    throw CheckpointError(
        fmt::format("{}: header is not valid JSON near its byte {}", source, json.find('\0')));
  }
  if (!Json::sax_parse(json.begin(), json.end(), &reader)) {
    throw CheckpointError(fmt::format("{}: {}", source, reader.problem()));
  }
  check_names(header, source);
  check_places(header, data_bytes, source);
  return header;
}

std::string header_sha256(const SafetensorsHeader& header) {
  Sha256 hash;
  const auto add = [&](const std::string& text) {
    hash.update(fmt::format("{}:", text.size()));  // no two lists of texts are the same bytes
    hash.update(text);
  };
  for (const auto& [key, value] : header.metadata) {
    if (key == kMetadataHash) continue;
    add(key);
    add(value);
  }
  for (const auto* place :
       sorted(header, [](const auto&a, const auto&b) { return a.name < b.name; })) {
    add(place->name);
    add(c10::toString(place->type));
    add(shape_text(place->shape));
  }
  return hash.hex();
}

std::string safetensors_header_text(const SafetensorsHeader& header) {
  const auto quoted = [](const std::string& text) { return Json(as_utf8(text)).dump(); };
  std::string text = "{";
  if (!header.metadata.empty()) {
    text += quoted(kMetadataKey) + ":";
    auto metadata = Json::object();
    for (const auto& [key, value] : header.metadata) metadata[as_utf8(key)] = as_utf8(value);
    text += metadata.dump() + ",";
  }
  std::set<std::string_view> names;
  for (const auto& place : header.places) {
    const auto type = std::find_if(kTypes.begin(), kTypes.end(),
                                   [&](const auto& known) { return known.second == place.type; });
    RAVEN_CHECK(type != kTypes.end(),
                "tensor '{}' has type {}, which safetensors files do not hold", place.name,
                c10::toString(place.type));
    RAVEN_CHECK(names.insert(place.name).second, "two tensors are called '{}'", place.name);
    text += fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}},)",
                        quoted(place.name), type->first, fmt::join(place.shape, ","), place.begin,
                        place.end);
  }
  if (text.back() == ',') text.pop_back();
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  RAVEN_CHECK(text.size() <= kMaxHeaderBytes, "a header of {} bytes, the format allows {}",
              text.size(), kMaxHeaderBytes);
  return text;
}

}  // namespace raven::weights
