// Files of torch.save, read without running them.
//
// Such a file is a program (a pickle) beside the numbers. Only programs that put together tensors,
// dicts, lists, tuples, numbers, text, true, false and None are followed, by a machine of our own
// that cannot do anything else; every other one is refused, and nothing is run or written. Both
// layouts are read: the zip archive (since PyTorch 1.6) and the older sequence of pickles.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "raven/weights/mapped_file.h"

namespace raven::weights {

struct StoredValue;
struct StoredItem;

struct StoredList {
  std::vector<StoredValue> items;
  bool tuple = false;
};

/// In the file's order. Keys that are whole numbers are given as their decimal text.
struct StoredDict {
  std::vector<StoredItem> items;

  /// The value of that key, or null.
  [[nodiscard]] const StoredValue* find(std::string_view key) const;
};

/// One value of a file. monostate is None.
struct StoredValue {
  std::variant<std::monostate, bool, std::int64_t, double, std::string, torch::Tensor, StoredList,
               StoredDict>
      value;

  template <class Type>
  [[nodiscard]] const Type* as() const {
    return std::get_if<Type>(&value);
  }
};

struct StoredItem {
  std::string key;
  StoredValue value;
};

enum class ArchiveLayout { kZip, kLegacy };

struct PytorchArchive {
  ArchiveLayout layout = ArchiveLayout::kZip;
  StoredValue root;
  std::shared_ptr<MappedFile> mapping = {};  // what tensors may lie in; empty: they are copies
};

/// The file is mapped: a tensor lies in the mapping wherever its storage is aligned to its elements
/// (always in a zip archive of torch.save), so its numbers are read when they are first used and
/// writing to it copies the page, not the file. Otherwise its storage is copied, once. Views of one
/// storage share it, as they did when they were saved.
///
/// Refused, with file, place and reason as a CheckpointError: any instruction, name, type or layout
/// that is not needed for such data; big-endian files; views outside their storage; storages of
/// another size than said; tensors of more than eight times the file's size in all; nesting deeper
/// than 64; values that contain themselves; everything that read_zip_directory refuses.
PytorchArchive read_pytorch_archive(const std::filesystem::path& file);
/// The same from a file that is open already.
PytorchArchive read_pytorch_archive(const std::shared_ptr<MappedFile>& file);

/// The same for bytes in memory, from which every storage is copied; `source` stands for the file.
PytorchArchive parse_pytorch_archive(std::string_view bytes, const std::string& source);

/// Every tensor below `root`, in order, named by the keys on the way, joined by dots.
std::vector<std::pair<std::string, torch::Tensor>> tensors_in(const StoredValue& root);

}  // namespace raven::weights
