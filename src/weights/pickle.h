// The pickles of torch.save, read by a machine that can build data and nothing else.
//
// A pickle is a program for a stack machine. This one knows the instructions that torch.save writes
// and a short list of names: OrderedDict and Counter, the storage types, dtypes, torch.Size and
// torch.device, and the functions that put a tensor together. It calls nothing: a "call" of one of
// these makes a node that describes the result. Every other instruction and name is refused. Nodes
// are counted, so a small pickle cannot grow large.
#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace raven::weights {

inline constexpr std::uint64_t kMaxPickleBytes = 16ULL << 20;
inline constexpr std::size_t kMaxPickleNodes = 250'000;
inline constexpr std::size_t kMaxPickleTensors = 100'000;
inline constexpr std::size_t kMaxDimensions = 64;

// clang-format off
enum class PickleKind : std::uint8_t {
  kNone, kBool, kInteger, kBigInteger, kNumber, kText, kTuple, kList, kDict,
  kTensor,
  kName, kStorage,  // parts of a tensor; no values of their own, but for a dtype
};

/// What the name of a GLOBAL stands for.
enum class PickleName : std::uint8_t {
  kOrderedDict, kCounter, kStorageType, kDtype, kSize, kDevice,
  kRebuildTensor, kRebuildTensorV2, kRebuildTensorV3, kRebuildParameter,
};
// clang-format on

// What to do about a file that is refused.
inline constexpr std::string_view kSaveAnew =
    "fetch the file again, or save it anew with torch.save";
inline constexpr std::string_view kSaveTensorsAlone =
    "load the file in PyTorch, where you trust it, and save its weights alone: "
    "torch.save(model.state_dict(), 'weights.pth')";

using PickleIndex = std::uint32_t;  // of a node, list, storage or tensor

struct PickleNode {
  PickleKind kind = PickleKind::kNone;
  PickleName name = {};                               // of kName
  bool ordered = false;                               // of kDict: an OrderedDict
  c10::ScalarType type = c10::ScalarType::Undefined;  // of kName; Undefined: untyped storage
  PickleIndex index = 0;     // of kTuple, kList, kDict: in lists; kStorage; kTensor
  std::int64_t integer = 0;  // of kBool, kInteger
  double number = 0;         // of kNumber
  std::string_view text;     // of kText, the bytes of kBigInteger, the name of a dtype
};

struct PickleStorage {
  std::string_view key;
  c10::ScalarType type = c10::ScalarType::Undefined;  // Undefined: untyped, `elements` are bytes
  std::uint64_t elements = 0;
  std::uint64_t bytes = 0;
  c10::ScalarType viewed_as = c10::ScalarType::Undefined;  // of all tensors on it
};

/// A view of elements offset + sum(index * stride), all within the storage.
struct PickleTensor {
  PickleIndex storage = 0;
  c10::ScalarType type = c10::ScalarType::Undefined;
  std::int64_t offset = 0;
  std::vector<std::int64_t> sizes, strides;
};

/// Everything that the pickles of one file made. Texts lie in the file's bytes.
struct PickleHeap {
  std::deque<PickleNode> nodes;
  std::deque<std::vector<PickleIndex>> lists;  // a dict: key, value, key, value, ...
  std::vector<PickleStorage> storages;
  std::deque<PickleTensor> tensors;
  std::deque<std::string> made_texts;  // those that do not stand in the file: "cuda:0"

  [[nodiscard]] const std::vector<PickleIndex>& items(const PickleNode& node) const {
    return lists[node.index];
  }
};

/// Runs one pickle at the start of `bytes`; `used` is set to its length. Returns the result's node.
/// Throws CheckpointError: "`source`, byte N: ...".
PickleIndex run_pickle(std::string_view bytes, const std::string& source, PickleHeap& heap,
                       std::uint64_t& used);

}  // namespace raven::weights
