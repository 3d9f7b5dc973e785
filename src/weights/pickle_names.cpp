#include "weights/pickle_names.h"

#include <array>
#include <utility>

namespace raven::weights {
namespace {

using Name = PickleName;
using Type = c10::ScalarType;

constexpr std::array kNames = {
    AllowedName{"collections", "OrderedDict", Name::kOrderedDict},
    AllowedName{"torch._utils", "_rebuild_tensor", Name::kRebuildTensor},
    AllowedName{"torch._utils", "_rebuild_tensor_v2", Name::kRebuildTensorV2},
    AllowedName{"torch._utils", "_rebuild_tensor_v3", Name::kRebuildTensorV3},
    AllowedName{"torch._utils", "_rebuild_parameter", Name::kRebuildParameter},
    AllowedName{"torch", "DoubleStorage", Name::kStorageType, Type::Double},
    AllowedName{"torch", "FloatStorage", Name::kStorageType, Type::Float},
    AllowedName{"torch", "HalfStorage", Name::kStorageType, Type::Half},
    AllowedName{"torch", "BFloat16Storage", Name::kStorageType, Type::BFloat16},
    AllowedName{"torch", "LongStorage", Name::kStorageType, Type::Long},
    AllowedName{"torch", "IntStorage", Name::kStorageType, Type::Int},
    AllowedName{"torch", "ShortStorage", Name::kStorageType, Type::Short},
    AllowedName{"torch", "CharStorage", Name::kStorageType, Type::Char},
    AllowedName{"torch", "ByteStorage", Name::kStorageType, Type::Byte},
    AllowedName{"torch", "BoolStorage", Name::kStorageType, Type::Bool},
    AllowedName{"torch.storage", "UntypedStorage", Name::kStorageType, Type::Undefined},
    AllowedName{"torch", "uint16", Name::kDtype, Type::UInt16},
    AllowedName{"torch", "uint32", Name::kDtype, Type::UInt32},
    AllowedName{"torch", "uint64", Name::kDtype, Type::UInt64},
    AllowedName{"torch", "float32", Name::kDtype, Type::Float},
    AllowedName{"torch", "float64", Name::kDtype, Type::Double},
    AllowedName{"torch", "float16", Name::kDtype, Type::Half},
    AllowedName{"torch", "bfloat16", Name::kDtype, Type::BFloat16},
    AllowedName{"torch", "int64", Name::kDtype, Type::Long},
    AllowedName{"torch", "int32", Name::kDtype, Type::Int},
    AllowedName{"torch", "int16", Name::kDtype, Type::Short},
    AllowedName{"torch", "int8", Name::kDtype, Type::Char},
    AllowedName{"torch", "uint8", Name::kDtype, Type::Byte},
    AllowedName{"torch", "bool", Name::kDtype, Type::Bool},
    AllowedName{"torch", "complex32", Name::kDtype},
    AllowedName{"torch", "complex64", Name::kDtype},
    AllowedName{"torch", "complex128", Name::kDtype},
    AllowedName{"torch", "float8_e4m3fn", Name::kDtype},
    AllowedName{"torch", "float8_e4m3fnuz", Name::kDtype},
    AllowedName{"torch", "float8_e5m2", Name::kDtype},
    AllowedName{"torch", "float8_e5m2fnuz", Name::kDtype},
    AllowedName{"torch", "float8_e8m0fnu", Name::kDtype},
    AllowedName{"torch", "quint8", Name::kDtype},
    AllowedName{"torch", "qint8", Name::kDtype},
    AllowedName{"torch", "qint32", Name::kDtype},
    AllowedName{"torch", "quint4x2", Name::kDtype},
    AllowedName{"torch", "quint2x4", Name::kDtype},
    AllowedName{"torch", "Size", Name::kSize},
    AllowedName{"torch", "device", Name::kDevice},
    AllowedName{"collections", "Counter", Name::kCounter},
};

// clang-format off: tables
constexpr std::pair<std::uint8_t, const char*> kRefused[] = {
    {'i', "INST"},
    {'o', "OBJ"},
    {0x81, "NEWOBJ"},
    {0x92, "NEWOBJ_EX"},
    {0x82, "EXT1"},
    {0x83, "EXT2"},
    {0x84, "EXT4"},
    {'P', "PERSID"},
    {'0', "POP"},
    {'1', "POP_MARK"},
    {'2', "DUP"},
    {'I', "INT"},
    {'L', "LONG"},
    {0x8B, "LONG4"},
    {'F', "FLOAT"},
    {'S', "STRING"},
    {'V', "UNICODE"},
    {'g', "GET"},
    {'p', "PUT"},
    {'l', "LIST"},
    {'d', "DICT"},
    {'B', "BINBYTES"},
    {'C', "SHORT_BINBYTES"},
    {0x8E, "BINBYTES8"},
    {0x96, "BYTEARRAY8"},
    {0x8F, "EMPTY_SET"},
    {0x90, "ADDITEMS"},
    {0x91, "FROZENSET"},
    {0x97, "NEXT_BUFFER"},
    {0x98, "READONLY_BUFFER"},
};
// clang-format on

}  // namespace

std::optional<AllowedName> allowed_name(std::string_view module, std::string_view name) {
  for (const auto& known : kNames) {
    if (known.module == module && known.name == name) return known;
  }
  return std::nullopt;
}

std::string_view refused_instruction(std::uint8_t opcode) {
  for (const auto& [known, name] : kRefused) {
    if (known == opcode) return name;
  }
  return {};
}

}  // namespace raven::weights
