#include "raven/weights/pytorch_writer.h"

#include <c10/util/strides.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "raven/core/error.h"
#include "raven/core/new_file.h"
#include "weights/pickle_writer.h"
#include "weights/zip_writer.h"

namespace raven::weights {
namespace {

const std::string kFolder = "archive/";

/// Elements [begin, end) of a storage that tensors show.
struct Part {
  std::int64_t begin = 0, end = 0;
  std::vector<std::size_t> tensors;  // on it, by index in the file
};

bool is_dense(const torch::Tensor& tensor) {
  return tensor.is_cpu() && tensor.layout() == torch::kStrided;
}

std::int64_t last_element(const torch::Tensor& tensor) {
  auto last = tensor.storage_offset();
  for (std::int64_t i = 0; i < tensor.dim(); ++i) last += (tensor.size(i) - 1) * tensor.stride(i);
  return last;
}

/// Storages in the order of their first tensors. A tensor that shares with no other is a part of
/// its own, and so is one that lies elsewhere than in the memory of the CPU.
std::vector<Part> parts_of(const TensorFile& content) {
  std::vector<Part> parts;
  std::map<std::pair<const void*, c10::ScalarType>, std::size_t> known;
  for (std::size_t i = 0; i < content.tensors.size(); ++i) {
    const auto& tensor = content.tensors[i].second;
    const bool shareable = is_dense(tensor) && tensor.numel() > 0;
    const auto* storage = shareable ? tensor.storage().unsafeGetStorageImpl() : nullptr;
    const auto found =
        storage == nullptr ? known.end() : known.find({storage, tensor.scalar_type()});
    if (found != known.end()) {
      auto& part = parts[found->second];
      part.begin = std::min(part.begin, tensor.storage_offset());
      part.end = std::max(part.end, last_element(tensor) + 1);
      part.tensors.push_back(i);
      continue;
    }
    if (storage != nullptr) known.emplace(std::pair(storage, tensor.scalar_type()), parts.size());
    Part part{.begin = 0, .end = tensor.numel(), .tensors = {i}};
    if (shareable) part.begin = tensor.storage_offset(), part.end = last_element(tensor) + 1;
    parts.push_back(std::move(part));
  }
  return parts;
}

/// A part's elements as one dimension.
torch::Tensor elements_of(const TensorFile& content, const Part& part) {
  const auto& first = content.tensors[part.tensors.front()].second;
  if (part.tensors.size() == 1) return first.cpu().contiguous().flatten();
  return first.as_strided({part.end - part.begin}, {1}, part.begin);
}

std::vector<PlacedTensor> place(const TensorFile& content, const std::vector<Part>& parts) {
  std::vector<PlacedTensor> placed(content.tensors.size());
  std::set<std::string> names;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const auto& part = parts[p];
    for (const auto i : part.tensors) {
      const auto& [name, tensor] = content.tensors[i];
      RAVEN_CHECK(names.insert(name).second, "two tensors are called '{}'", name);
      const bool shared = part.tensors.size() > 1;
      const auto plain = c10::contiguous_strides(tensor.sizes());
      const auto elements = shared ? part.end - part.begin : tensor.numel();
      placed[i] = {.name = name,
                   .type = tensor.scalar_type(),
                   .storage = std::to_string(p),
                   .storage_bytes = static_cast<std::uint64_t>(elements) * tensor.element_size(),
                   .offset = shared ? tensor.storage_offset() - part.begin : 0,
                   .sizes = tensor.sizes().vec(),
                   .strides = (shared ? tensor.strides() : torch::IntArrayRef(plain)).vec()};
    }
  }
  return placed;
}

}  // namespace

void write_pytorch_archive(const std::filesystem::path& file, const TensorFile& content) {
  const auto parts = parts_of(content);
  const auto pickle = write_pickle(place(content, parts));
  NewFile out(file);
  ZipWriter zip(out);
  zip.add(kFolder + "data.pkl", pickle);
  zip.add(kFolder + "byteorder", "little");
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const auto elements = elements_of(content, parts[p]);
    zip.add(kFolder + "data/" + std::to_string(p),
            {static_cast<const char*>(elements.const_data_ptr()), elements.nbytes()});
  }
  zip.add(kFolder + "version", "3\n");
  zip.finish();
  out.commit();
}

}  // namespace raven::weights
