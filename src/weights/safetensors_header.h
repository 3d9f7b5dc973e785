// The JSON header of a safetensors file: where each tensor lies. Checked completely before any
// tensor exists.
#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace raven::weights {

struct TensorPlace {
  std::string name;
  c10::ScalarType type = c10::ScalarType::Float;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes from the first one after the header
};

struct SafetensorsHeader {
  std::vector<TensorPlace> places;  // in header order
  std::map<std::string, std::string> metadata;
};

inline constexpr std::uint64_t kLengthBytes = 8;  // little-endian length of the JSON text
/// The format's own limit. Memory and time of reading grow with the header, not with what it says:
/// at most ten times its bytes.
inline constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;

/// Length of the JSON text, from the first eight bytes. Throws CheckpointError unless it fits in a
/// file of `file_bytes`.
std::uint64_t safetensors_header_length(std::string_view first_bytes, std::uint64_t file_bytes,
                                        const std::string& source);

/// Throws CheckpointError unless the tensors fill exactly `data_bytes`, without gaps or overlaps,
/// each with as many bytes as its shape and type say.
SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t data_bytes,
                                           const std::string& source);

/// SHA-256 of what a header says but kMetadataHash: metadata by key, then name, type and shape of
/// each tensor by name. Order and spelling of the JSON do not matter.
std::string header_sha256(const SafetensorsHeader& header);

/// The JSON text, padded with spaces to a multiple of 8.
std::string safetensors_header_text(const SafetensorsHeader& header);

}  // namespace raven::weights
