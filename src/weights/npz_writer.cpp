#include "raven/weights/npz_writer.h"

#include <set>

#include "raven/core/error.h"
#include "raven/core/new_file.h"
#include "raven/corpus/npy.h"
#include "weights/zip_writer.h"

namespace raven::weights {
namespace {

/// NumPy's description of a type: byte order, kind, bytes.
std::string descr_of(const torch::Tensor& tensor) {
  const auto size = tensor.element_size();
  const char order = size == 1 ? '|' : '<';
  const auto type = tensor.scalar_type();
  const char kind = type == torch::kBool         ? 'b'
                    : tensor.is_floating_point() ? 'f'
                    : c10::isSignedType(type)    ? 'i'
                                                 : 'u';
  return fmt::format("{}{}{}", order, kind, size);
}

/// As NumPy has it, and how the elements lie in memory.
torch::Tensor as_array(const torch::Tensor& tensor) {
  const bool unknown = tensor.scalar_type() == torch::kBFloat16;
  return (unknown ? tensor.to(torch::kFloat32) : tensor).cpu().contiguous();
}

std::string_view bytes_of(const torch::Tensor& array) {
  return {static_cast<const char*>(array.const_data_ptr()), array.nbytes()};
}

}  // namespace

void write_npz(const std::filesystem::path& file, const TensorFile& content) {
  NewFile out(file);
  ZipWriter zip(out);
  std::set<std::string> names;
  for (const auto& [name, given] : content.tensors) {
    RAVEN_CHECK(names.insert(name).second, "two tensors are called '{}'", name);
    const auto array = as_array(given);
    const auto header = corpus::npy_header(descr_of(array), array.sizes());
    zip.begin(name + ".npy", header.size() + array.nbytes());
    zip.write(header);
    zip.write(bytes_of(array));
    zip.end();
  }
  zip.finish();
  out.commit();
}

void write_npy(const std::filesystem::path& file, const torch::Tensor& tensor) {
  const auto array = as_array(tensor);
  NewFile out(file);
  out.write(corpus::npy_header(descr_of(array), array.sizes()));
  out.write(bytes_of(array));
  out.commit();
}

}  // namespace raven::weights
