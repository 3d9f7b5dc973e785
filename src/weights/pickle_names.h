// What a pickle may name, and the instructions that are refused by name.
#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "weights/pickle.h"

namespace raven::weights {

struct AllowedName {
  std::string_view module, name;
  PickleName meaning;
  c10::ScalarType type = c10::ScalarType::Undefined;  // of a storage type or dtype
};

/// Nothing: the name is not on the list.
std::optional<AllowedName> allowed_name(std::string_view module, std::string_view name);

/// Name of an instruction of Python's pickles that the machine does not have; else empty.
std::string_view refused_instruction(std::uint8_t opcode);

}  // namespace raven::weights
