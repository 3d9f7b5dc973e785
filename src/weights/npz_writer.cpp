#include "raven/weights/npz_writer.h"

#include <set>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/corpus/npy.h"
#include "weights/new_file.h"
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

}  // namespace

void write_npz(const std::filesystem::path& file, const TensorFile& content) {
  replace_file(file, [&](const std::filesystem::path& temporary) {
    NewFile out(temporary);
    ZipWriter zip(out);
    std::set<std::string> names;
    for (const auto& [name, given] : content.tensors) {
      RAVEN_CHECK(names.insert(name).second, "two tensors are called '{}'", name);
      const bool unknown = given.scalar_type() == torch::kBFloat16;
      const auto tensor = (unknown ? given.to(torch::kFloat32) : given).cpu().contiguous();
      const auto header = corpus::npy_header(descr_of(tensor), tensor.sizes());
      zip.begin(name + ".npy", header.size() + tensor.nbytes());
      zip.write(header);
      zip.write({static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()});
      zip.end();
    }
    zip.finish();
    out.close();
  });
}

}  // namespace raven::weights
