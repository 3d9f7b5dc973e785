#include "weights/pickle_writer.h"

#include <array>
#include <cstring>
#include <limits>
#include <map>
#include <string_view>
#include <utility>

#include "raven/core/error.h"
#include "weights/pickle_opcodes.h"

namespace raven::weights {
namespace {

using Type = c10::ScalarType;

constexpr std::pair<Type, std::string_view> kStorageTypes[] = {
    {Type::Double, "DoubleStorage"},     {Type::Float, "FloatStorage"}, {Type::Half, "HalfStorage"},
    {Type::BFloat16, "BFloat16Storage"}, {Type::Long, "LongStorage"},   {Type::Int, "IntStorage"},
    {Type::Short, "ShortStorage"},       {Type::Char, "CharStorage"},   {Type::Byte, "ByteStorage"},
    {Type::Bool, "BoolStorage"},
};

/// Types without a storage class of their own: the tensor names them, its storage counts bytes.
constexpr std::pair<Type, std::string_view> kUntypedTypes[] = {
    {Type::UInt16, "uint16"},
    {Type::UInt32, "uint32"},
    {Type::UInt64, "uint64"},
};

template <class Table>
std::string_view name_in(const Table& table, Type type) {
  for (const auto& [known, name] : table) {
    if (known == type) return name;
  }
  return {};
}

class Writer {
 public:
  Writer() { op(kProto).byte(2); }

  std::string write(const std::vector<PlacedTensor>& tensors) {
    op(kEmptyDict).op(kMark);
    for (const auto& tensor : tensors) {
      text(tensor.name);
      add(tensor);
    }
    op(kSetItems).op(kStop);
    return std::move(bytes_);
  }

 private:
  void add(const PlacedTensor& tensor) {
    const auto type = name_in(kUntypedTypes, tensor.type);
    global("torch._utils", type.empty() ? "_rebuild_tensor_v2" : "_rebuild_tensor_v3");
    op(kMark);
    storage(tensor);
    number(tensor.offset);
    tuple(tensor.sizes);
    tuple(tensor.strides);
    op(kNewFalse);  // requires_grad
    global("collections", "OrderedDict");
    op(kEmptyTuple).op(kReduce);  // no hooks
    if (!type.empty()) global("torch", type);
    op(kTuple).op(kReduce);
  }

  void storage(const PlacedTensor& tensor) {
    op(kMark);
    constant("storage");
    auto elements = tensor.storage_bytes;
    if (const auto type = name_in(kStorageTypes, tensor.type); !type.empty()) {
      global("torch", type);
      elements /= c10::elementSize(tensor.type);
    } else {
      RAVEN_CHECK(!name_in(kUntypedTypes, tensor.type).empty(),
                  "tensor '{}' has type {}, which files of torch.save do not hold", tensor.name,
                  c10::toString(tensor.type));
      global("torch.storage", "UntypedStorage");
    }
    text(tensor.storage);
    constant("cpu");
    number(static_cast<std::int64_t>(elements));
    op(kTuple).op(kBinPersid);
  }

  void tuple(const std::vector<std::int64_t>& values) {
    constexpr std::array kShort = {kEmptyTuple, kTuple1, kTuple2, kTuple3};
    const bool brief = values.size() < kShort.size();
    if (!brief) op(kMark);
    for (const auto value : values) number(value);
    op(brief ? kShort[values.size()] : kTuple);
  }

  void number(std::int64_t value) {
    if (value >= 0 && value <= 0xFF) {
      op(kBinInt1).byte(static_cast<std::uint8_t>(value));
    } else if (value >= 0 && value <= 0xFFFF) {
      op(kBinInt2).little(static_cast<std::uint16_t>(value));
    } else if (value >= std::numeric_limits<std::int32_t>::min() &&
               value <= std::numeric_limits<std::int32_t>::max()) {
      op(kBinInt).little(static_cast<std::int32_t>(value));
    } else {
      op(kLong1).byte(sizeof(value)).little(value);
    }
  }

  void text(std::string_view text) {
    op(kBinUnicode).little(static_cast<std::uint32_t>(text.size()));
    bytes_ += text;
  }

  /// What is written often is written once and taken from the memo afterwards.
  void constant(std::string_view value) {
    remember(std::string(value), [&] { text(value); });
  }
  void global(std::string_view module, std::string_view name) {
    const auto line = std::string(module) + "\n" + std::string(name) + "\n";
    remember(line, [&] {
      op(kGlobal);
      bytes_ += line;
    });
  }
  template <class Write>
  void remember(const std::string& what, Write write) {
    const auto [known, added] = memo_.emplace(what, static_cast<std::uint8_t>(memo_.size()));
    if (added) write();
    op(added ? kBinPut : kBinGet).byte(known->second);
  }

  Writer& op(Opcode opcode) { return byte(opcode); }
  Writer& byte(std::uint8_t value) { return bytes_ += static_cast<char>(value), *this; }
  template <class Integer>
  void little(Integer value) {
    std::array<char, sizeof(value)> digits{};
    std::memcpy(digits.data(), &value, sizeof(value));
    bytes_.append(digits.data(), digits.size());
  }

  std::string bytes_;
  std::map<std::string, std::uint8_t> memo_;
};

}  // namespace

std::string write_pickle(const std::vector<PlacedTensor>& tensors) {
  return Writer().write(tensors);
}

}  // namespace raven::weights
